/**
 * Orders: all of them, and one with what can be done about it.
 */
import { api } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { badge, button, countdown, price } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { inWords, moment, t } from "../ui/words.js";
import { addressChoice, addressesFor } from "./addresses.js";
import { sums } from "./cart.js";
import { paying } from "./paying.js";
import { refundsOf } from "./refunds.js";

// How often (seconds) an order is looked at: something is about to happen to it, or may from elsewhere
// (another tab, another telephone, the clock).
const LOOK_SECONDS = { pending: 0.7, closing: 0.7, refunding: 0.7, unpaid: 3 };

export async function ordersPage(_, view) {
  const list = el("ul", { class: "cards wide" });
  const more = el("p");
  async function look(before) {
    const found = await api.listOrders({ before, page_size: 20 });
    list.append(...found.results.map((order) => orderCard(order, view)));
    const last = found.next && new URL(found.next, location.href).searchParams.get("before");
    fill(
      more,
      list.children.length ? null : t("order.none"),
      last ? button(t("more"), () => look(last)) : null,
    );
  }
  await look();
  return { title: t("nav.orders"), body: [list, more] };
}

function orderCard(order, view) {
  return el(
    "li",
    { class: "card" },
    el(
      "a",
      { href: `#/orders/${order.order_no}` },
      el("strong", {}, names(order)),
      statusBadge(order.status),
      price(order.total_fen),
      order.status === "unpaid"
        ? el(
            "span",
            {},
            t("order.pay-within"),
            " ",
            countdown(view, order.expires_at, { over: view.refresh }),
          )
        : null,
      el("small", { class: "muted" }, moment(order.created_at)),
    ),
  );
}

function names(order) {
  return order.items.map((item) => `${item.goods_title} ${item.spec} × ${item.count}`).join(", ");
}

function statusBadge(status) {
  return badge(t(`order.status.${status}`), status);
}

export async function orderPage({ order_no }, view) {
  const [order, addresses, refunds] = await Promise.all([
    api.readOrder({ order_no }),
    addressesFor(),
    api.listRefunds({ order_no }),
  ]);
  const methods = order.status === "unpaid" ? await api.listPaymentMethods() : [];
  const look = async () => {
    const later = await api.readOrder({ order_no });
    if (view.isOver || later.status === order.status) return;
    say(t(`order.says.${later.status}`));
    view.refresh();
  };
  if (order.status in LOOK_SECONDS) view.every(LOOK_SECONDS[order.status], look);
  return {
    title: t("order.title"),
    body: [
      el("p", { class: "state" }, statusBadge(order.status), " ", t(`order.says.${order.status}`)),
      order.failure ? el("p", { class: "bad" }, inWords(order.failure)) : null,
      order.status === "unpaid" ? paying(order, methods, view, look) : null,
      order.items.length
        ? el(
            "ul",
            { class: "rows" },
            order.items.map((item) =>
              el(
                "li",
                {},
                el("span", {}, el("strong", {}, item.goods_title), ` ${item.spec} × ${item.count}`),
                price(item.price_fen * item.count),
              ),
            ),
          )
        : null,
      sums(order),
      whereTo(order, addresses, view),
      order.tracking_no ? el("p", {}, `${order.courier} ${order.tracking_no}`) : null,
      order.status === "shipped"
        ? button(t("order.confirm-receipt"), async () => {
            await api.confirmReceipt({ order_no });
            await view.refresh();
          })
        : null,
      refundsOf(order, refunds, view),
      el("p", { class: "muted" }, t("order.number", { number: order.order_no })),
    ],
  };
}

/** The address as it stood when it was ordered, or the question for one. */
function whereTo(order, addresses, view) {
  const { address, order_no, status } = order;
  if (address) {
    return el("p", {}, `${address.name} ${address.phone}, ${address.region} ${address.detail}`);
  }
  if (!["unpaid", "paid"].includes(status)) return null;
  const chosen = addressChoice(addresses);
  const send = async () => {
    const id = Number(chosen.querySelector("select").value);
    await api.setOrderAddress({ order_no, body: { address: id } });
    await view.refresh();
  };
  return el("div", {}, chosen, addresses.length ? button(t("order.set-address"), send) : null);
}
