/**
 * Paying an order: the ways that this shop offers, and what to do about those that a browser can't.
 */
import { api } from "../app.js";
import { el } from "../ui/dom.js";
import { button, countdown } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { has, t } from "../ui/words.js";

/** How long there is to pay, by the shop's clock, the ways to pay, and the way out. */
export function paying(order, methods, view, over) {
  const { order_no } = order;
  const cancel = async () => {
    await api.cancelOrder({ order_no });
    await view.refresh();
  };
  return el(
    "div",
    { class: "actions" },
    el("p", {}, t("order.pay-within"), " ", countdown(view, order.expires_at, { over })),
    here(methods).map(({ provider }) =>
      button(t("order.pay", { provider: nameOf(provider) }), () => pay(order_no, provider, view), {
        kind: "main",
      }),
    ),
    elsewhere(methods).map((method) => el("p", {}, t("pay.elsewhere", { provider: nameOf(method.provider) }))),
    button(t("order.cancel"), cancel),
  );
}

/** Those of the ways that a browser can go, and those that only a mini-program can. */
export function here(methods) {
  return methods.filter(({ where }) => where === "anywhere");
}

export function elsewhere(methods) {
  return methods.filter(({ where }) => where !== "anywhere");
}

/** What people call a way to pay; one that is new has its own name. */
export function nameOf(provider) {
  return has(`pay.${provider}`) ? t(`pay.${provider}`) : provider;
}

async function pay(order_no, provider, view) {
  const begun = await api.payOrder({ order_no, body: { provider } });
  if (begun.status === "pending" && provider === "sandbox") {
    await api.succeedInSandbox({ payment_no: begun.payment_no });
  }
  say(t("order.is-paid"));
  await view.refresh();
}
