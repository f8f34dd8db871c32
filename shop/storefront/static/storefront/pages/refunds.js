/**
 * Refunds: what of an order's money was asked for and what became of it, and asking for more.
 */
import { api, go } from "../app.js";
import { el } from "../ui/dom.js";
import { badge, field, form, price } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { moment, t } from "../ui/words.js";

const REFUNDABLE = new Set(["paid", "accepted", "shipped", "completed"]);
const MOVING = new Set(["requested", "pending"]);
const LOOK_SECONDS = 3;

/** Of an order's page: its refunds, which change in sight, and the way to ask for one. */
export function refundsOf(order, refunds, view) {
  if (refunds.some((refund) => MOVING.has(refund.status))) {
    const shown = states(refunds);
    view.every(LOOK_SECONDS, async () => {
      const now = await api.listRefunds({ order_no: order.order_no });
      if (states(now) !== shown) view.refresh();
    });
  }
  // What is asked for, or back already, can't be asked for again.
  const asked = refunds.filter(({ status }) => status !== "declined").flatMap(({ items }) => items);
  const isOpen =
    REFUNDABLE.has(order.status) && order.total_fen > 0 && units(asked) < units(order.items);
  if (!refunds.length && !isOpen) return null;
  const names = new Map(order.items.map((item) => [item.sku, `${item.goods_title} ${item.spec}`]));
  return el(
    "section",
    { class: "refunds" },
    el("h2", {}, t("refund.title")),
    el(
      "ul",
      { class: "rows" },
      refunds.map((refund) => refundRow(refund, names)),
    ),
    isOpen
      ? el("p", {}, el("a", { href: `#/orders/${order.order_no}/refund` }, t("refund.ask")))
      : null,
  );
}

function units(items) {
  return items.reduce((sum, item) => sum + item.count, 0);
}

function states(refunds) {
  return refunds.map(({ refund_no, status }) => `${refund_no} ${status}`).join();
}

function refundRow({ status, amount_fen, items, reason, answer, created_at }, names) {
  const what = items.map(({ sku, count }) => `${names.get(sku) ?? sku} × ${count}`).join(", ");
  return el(
    "li",
    {},
    el("span", {}, badge(t(`refund.status.${status}`), status), " ", t(`refund.says.${status}`)),
    price(amount_fen),
    what ? el("span", {}, what) : null,
    reason ? el("small", {}, t("refund.because", { reason })) : null,
    answer ? el("small", {}, t("refund.answer", { answer })) : null,
    el("small", {}, moment(created_at)),
  );
}

export async function refundPage({ order_no }) {
  const order = await api.readOrder({ order_no });
  const back = el("p", {}, el("a", { href: `#/orders/${order_no}` }, t("refund.back")));
  if (!REFUNDABLE.has(order.status)) {
    return { title: t("refund.ask"), body: [el("p", {}, t("refund.not-now")), back] };
  }
  const ask = async (body) => {
    await api.askForRefund({ order_no, body });
    say(t("refund.asked"));
    go(`/orders/${order_no}`);
  };
  const reason = () => field(t("refund.reason"), { name: "reason", required: true, maxlength: 200 });
  const isMany = units(order.items) > 1;
  const some = ({ reason: why, ...counts }) => {
    const items = Object.entries(counts)
      .map(([sku, count]) => ({ sku: Number(sku), count: Number(count) }))
      .filter(({ count }) => count > 0);
    if (!items.length) return say(t("refund.nothing"), { bad: true });
    return ask({ items, reason: why });
  };
  return {
    title: t("refund.ask"),
    body: [
      el("p", {}, t("refund.explains")),
      el("h2", {}, t("refund.whole")),
      form([reason()], t("refund.whole-do"), ({ reason: why }) => ask({ reason: why }), { id: "whole" }),
      isMany ? el("h2", {}, t("refund.some")) : null,
      isMany
        ? form([order.items.map(countField), reason()], t("refund.some-do"), some, { id: "some" })
        : null,
      back,
    ],
  };
}

function countField({ sku, goods_title, spec, count }) {
  return field(`${goods_title} ${spec}`, {
    name: sku,
    type: "number",
    min: 0,
    max: count,
    value: 0,
    required: true,
    inputmode: "numeric",
  });
}
