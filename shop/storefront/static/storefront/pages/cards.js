/**
 * Goods, sales and periods in lists: one link each.
 */
import { el } from "../ui/dom.js";
import { amount, badge, countdown, picture, price, progress } from "../ui/parts.js";
import { t } from "../ui/words.js";

function card(href, ...children) {
  return el("li", { class: "card" }, el("a", { href }, children));
}

export function goodsCard(goods) {
  const left = goods.skus.some((sku) => sku.available > 0);
  return card(
    `#/goods/${goods.id}`,
    picture(goods.images[0]),
    el("strong", {}, goods.title),
    goods.min_price_fen === null ? null : el("span", {}, price(goods.min_price_fen)),
    left ? null : badge(t("sold-out"), "bad"),
  );
}

export function saleCard(sale, view) {
  const isComing = sale.status === "scheduled";
  return card(
    `#/sales/${sale.id}`,
    picture(sale.image),
    el("strong", {}, `${sale.goods_title} ${sale.spec}`),
    el("span", {}, price(sale.price_fen), " ", el("s", {}, price(sale.original_price_fen))),
    el(
      "span",
      { class: "muted" },
      t(isComing ? "sale.starts-in" : "sale.ends-in"),
      " ",
      countdown(view, isComing ? sale.starts_at : sale.ends_at, { over: view.refresh }),
    ),
    badge(t(`sale.status.${sale.status}`), sale.status),
  );
}

export function periodCard(period) {
  return card(
    `#/periods/${period.id}`,
    picture(period.prize.image),
    el("strong", {}, period.prize.title),
    el("span", {}, amount(period.share_price, period.currency), ` / ${t("period.share")}`),
    progress(
      period.sold_shares,
      period.total_shares,
      t("period.sold", { sold: period.sold_shares, total: period.total_shares }),
    ),
    badge(t(`period.status.${period.status}`), period.status),
  );
}

export function winnerCard({ number, period, prize, winner }) {
  return card(
    `#/periods/${period}`,
    el("strong", {}, prize.title),
    el("span", { class: "numbers" }, number),
    el("span", { class: "muted" }, t("period.winner", { winner })),
  );
}
