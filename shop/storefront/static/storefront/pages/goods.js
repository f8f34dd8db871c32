/**
 * The shelves, and one thing from them with its kinds.
 */
import { api, go, isLoggedIn } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { button, choice, field, form, picture, price } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { t } from "../ui/words.js";
import { goodsCard } from "./cards.js";

const MANY = 24;

export async function goodsListPage() {
  const categories = await api.listCategories({ page_size: 100 });
  const list = el("ul", { class: "cards" });
  const more = el("p");
  let asked = {};

  async function look(page) {
    const found = await api.listGoods({ ...asked, page, page_size: MANY });
    if (page === 1) fill(list);
    list.append(...found.results.map(goodsCard));
    fill(
      more,
      found.count === 0 ? t("goods.none") : null,
      found.next ? button(t("more"), () => look(page + 1)) : null,
    );
  }

  await look(1);
  const everything = [["", t("goods.all")], ...categories.results.map((one) => [one.id, one.title])];
  const search = form(
    [
      field(t("goods.search"), { name: "search", type: "search" }),
      choice(t("goods.category"), "category", everything),
    ],
    t("goods.look"),
    (values) => {
      asked = values;
      return look(1);
    },
    { role: "search" },
  );
  return { title: t("nav.goods"), body: [search, list, more] };
}

export async function goodsPage({ id }) {
  const goods = await api.readGoods({ goods_id: id });
  return {
    title: goods.title,
    body: [
      el("div", { class: "picture" }, picture(goods.images[0])),
      el("p", {}, goods.description),
      el("ul", { class: "rows" }, goods.skus.map(skuRow)),
    ],
  };
}

function skuRow(sku) {
  const isThere = sku.available > 0;
  const add = async () => {
    if (!isLoggedIn()) return go("/login");
    const cart = await api.readCart();
    const had = cart.items.find((item) => item.sku === sku.id)?.count ?? 0;
    await api.setCartItem({ sku: sku.id, body: { count: had + 1 } });
    say(t("cart.added"));
  };
  return el(
    "li",
    {},
    el("span", {}, el("strong", {}, sku.spec), " ", price(sku.price_fen)),
    el("span", { class: "muted" }, isThere ? t("left", { count: sku.available }) : t("sold-out")),
    isThere ? button(t("cart.add"), add, { "aria-label": `${t("cart.add")}: ${sku.spec}` }) : null,
  );
}
