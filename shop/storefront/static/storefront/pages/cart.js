/**
 * The cart, and from it to an order: the total that is agreed to is the one that was shown.
 */
import { api, go } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { button, choice, field, form, price } from "../ui/parts.js";
import { inWords, t } from "../ui/words.js";
import { addressesFor, addressChoice } from "./addresses.js";
import { terms } from "./coupons.js";

export async function cartPage(_, view) {
  const [cart, addresses, methods, coupons] = await Promise.all([
    api.readCart(),
    addressesFor(),
    api.listShippingMethods(),
    api.listMyCoupons({ status: "issued", page_size: 100 }),
  ]);
  if (!cart.items.length) {
    const shelves = el("a", { href: "#/goods" }, t("nav.goods"));
    return { title: t("nav.cart"), body: [el("p", {}, t("cart.empty")), el("p", {}, shelves)] };
  }
  const items = cart.items.map((item) => cartRow(item, view));
  return {
    title: t("nav.cart"),
    body: [el("ul", { class: "rows" }, items), checkout({ cart, addresses, methods, coupons: coupons.results }, view)],
  };
}

function cartRow(item, view) {
  const name = `${item.goods_title} ${item.spec}`;
  const set = async (count) => {
    if (count === 0) await api.removeCartItem({ sku: item.sku });
    else await api.setCartItem({ sku: item.sku, body: { count } });
    await view.refresh();
  };
  return el(
    "li",
    {},
    el("span", {}, el("strong", {}, name), " ", price(item.price_fen)),
    el(
      "span",
      { class: "stepper" },
      button("−", () => set(item.count - 1), { "aria-label": t("cart.less", { name }) }),
      el("span", {}, item.count),
      button("+", () => set(item.count + 1), { "aria-label": t("cart.more", { name }) }),
    ),
    price(item.subtotal_fen),
  );
}

function checkout({ cart, addresses, methods, coupons }, view) {
  const total = el("div", { class: "total", "aria-live": "polite" });
  let quoted = null;
  const asked = (values) => ({
    address: values.address ? Number(values.address) : undefined,
    shipping_method: values.shipping_method ? Number(values.shipping_method) : undefined,
    coupon: values.coupon ? Number(values.coupon) : undefined,
  });

  const place = async (values) => {
    if (!values.address) return go("/addresses");
    const order = await api.placeOrder({
      body: {
        from_cart: true,
        ...asked(values),
        remark: values.remark,
        expected_total_fen: (await quoted).total_fen,
      },
    });
    go(`/orders/${order.order_no}`);
  };
  const node = form(
    [
      addressChoice(addresses),
      methods.length
        ? choice(
            t("cart.shipping"),
            "shipping_method",
            methods.map((method) => [method.id, method.name]),
          )
        : null,
      couponChoice(coupons),
      field(t("cart.remark"), { name: "remark", maxlength: 200 }),
      total,
    ],
    t("cart.order"),
    async (values) => {
      try {
        await place(values);
      } catch (error) {
        if (error.code === "price_changed") await view.refresh();
        throw error;
      }
    },
  );
  const look = () => {
    const items = cart.items.map(({ sku, count }) => ({ sku, count }));
    const values = Object.fromEntries(new FormData(node));
    quoted = api.quoteOrder({ body: { items, ...asked(values) } });
    quoted.then(
      (quote) => fill(total, sums(quote)),
      (error) => fill(total, inWords(error)),
    );
  };
  node.addEventListener("change", look);
  look();
  return node;
}

/** One of the shopper's coupons, or the way to some. */
function couponChoice(coupons) {
  const words = coupons.map(({ id, coupon }) => [id, `${coupon.title}: ${terms(coupon)}`]);
  return el(
    "div",
    {},
    coupons.length ? choice(t("cart.coupon"), "coupon", [["", t("cart.no-coupon")], ...words]) : null,
    el("a", { href: "#/coupons" }, t("cart.coupons")),
  );
}

/** What a total is made of, of a quote or an order. */
export function sums({ goods_fen, freight_fen, discount_fen, total_fen }) {
  const line = (name, fen, attributes = {}) =>
    el("div", attributes, el("dt", {}, t(name)), el("dd", {}, price(fen)));
  return el(
    "dl",
    { class: "sums" },
    line("sum.goods", goods_fen),
    line("sum.freight", freight_fen),
    discount_fen ? line("sum.discount", -discount_fen) : null,
    line("sum.total", total_fen, { class: "all" }),
  );
}
