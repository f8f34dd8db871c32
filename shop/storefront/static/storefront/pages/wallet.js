/**
 * The wallet: what is in it, what came and went, and topping it up.
 */
import { api } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { fenOf } from "../ui/money.js";
import { amount, button, choice, field, form, price } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { has, moment, t } from "../ui/words.js";
import { elsewhere, here, nameOf } from "./paying.js";

export async function walletPage(_, view) {
  const [wallet, methods] = await Promise.all([api.readWallet(), api.listPaymentMethods()]);
  const list = el("ul", { class: "rows postings" });
  const more = el("p");
  async function look(before) {
    const found = await api.listPostings({ before, page_size: 20 });
    list.append(...found.results.map(postingRow));
    const next = found.next && new URL(found.next, location.href).searchParams.get("before");
    fill(more, next ? button(t("more"), () => look(next)) : null);
  }
  await look();
  return {
    title: t("nav.wallet"),
    body: [
      el("p", { class: "large" }, price(wallet.cny_fen)),
      el("p", { class: "large" }, amount(wallet.points, "points")),
      el("p", {}, el("a", { href: "#/packets" }, t("nav.packets"))),
      el("p", {}, el("a", { href: "#/coupons" }, t("coupon.title"))),
      el("p", {}, el("a", { href: "#/addresses" }, t("address.title"))),
      el("h2", {}, t("wallet.top-up")),
      toppingUp(methods.filter((method) => method.tops_up), view),
      el("h2", {}, t("wallet.postings")),
      list,
      more,
    ],
  };
}

function toppingUp(methods, view) {
  const topUp = async ({ amount: text, provider }) => {
    const amount_fen = fenOf(text);
    if (amount_fen === null) return say(t("money.not"), { bad: true });
    const payment = await api.topUp({ body: { amount_fen, provider } });
    if (payment.status === "pending" && provider === "sandbox") {
      await api.succeedInSandbox({ payment_no: payment.payment_no });
    }
    await view.refresh();
    return say(t("wallet.topped-up"));
  };
  const words = elsewhere(methods).map(({ provider }) =>
    el("p", {}, t("wallet.elsewhere", { provider: nameOf(provider) })),
  );
  const choices = here(methods).map(({ provider }) => [provider, nameOf(provider)]);
  if (!choices.length) return words.length ? words : el("p", {}, t("wallet.no-top-ups"));
  const fields = [
    field(t("wallet.amount"), { name: "amount", required: true, inputmode: "decimal" }),
    choice(t("wallet.provider"), "provider", choices),
  ];
  return [form(fields, t("wallet.top-up"), topUp), words];
}

function postingRow(posting) {
  const kind = `posting.${posting.kind}`;
  return el(
    "li",
    {},
    el("span", {}, has(kind) ? t(kind) : posting.kind),
    amount(posting.amount, posting.currency),
    el("small", {}, moment(posting.created_at)),
  );
}
