/**
 * What runs now: flash sales, lottery periods, and the goods on the shelves; in a demo, what to try.
 */
import { api } from "../app.js";
import { el } from "../ui/dom.js";
import { t } from "../ui/words.js";
import { goodsCard, periodCard, saleCard, winnerCard } from "./cards.js";
import { guide } from "./guide.js";

export async function homePage(_, view) {
  const [toTry, sales, scheduled, periods, winners, goods] = await Promise.all([
    guide(view),
    api.listSales({ status: "running", page_size: 6 }),
    api.listSales({ status: "scheduled", page_size: 6 }),
    api.listPeriods({ status: "open", page_size: 6 }),
    api.listWinners({ page_size: 4 }),
    api.listGoods({ page_size: 8 }),
  ]);
  const section = (title, cards, kind = "wide") =>
    cards.length
      ? el("section", {}, el("h2", {}, title), el("ul", { class: `cards ${kind}` }, cards))
      : null;
  return {
    title: t("home.title"),
    body: [
      toTry,
      section(
        t("home.sales"),
        [...sales.results, ...scheduled.results].map((sale) => saleCard(sale, view)),
      ),
      section(t("home.periods"), periods.results.map(periodCard)),
      section(t("home.winners"), winners.results.map(winnerCard)),
      section(t("home.goods"), goods.results.map(goodsCard), ""),
      el("p", {}, el("a", { href: "#/goods" }, t("home.all-goods"))),
    ],
  };
}
