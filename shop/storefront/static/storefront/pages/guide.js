/**
 * What a newcomer may try, in order: only in a shop that says it is a demo, by an address in its page.
 */
import { api, isLoggedIn } from "../app.js";
import { fetchTransport } from "../api/transports.js";
import { hear, secondsUntil } from "../ui/clock.js";
import { el } from "../ui/dom.js";
import { button, countdown } from "../ui/parts.js";
import { t } from "../ui/words.js";

const place = document.querySelector("meta[name=guide]")?.content;
const ask = fetchTransport();

/** The section, or null where there is none; a guide that can't be had keeps nobody from the page. */
export async function guide(view) {
  if (!place) return null;
  const answer = await ask({ method: "GET", url: place, headers: {}, body: null }).catch(() => null);
  if (answer?.status !== 200 || answer.data === null) return null;
  const { shopper, operator, goods, coupon, sale, period, drawn, packet } = answer.data;
  if (sale) hear({ headers: {}, data: sale });
  return el(
    "section",
    { class: "guide" },
    el("h2", {}, t("guide.title")),
    el(
      "ol",
      {},
      shopper && !isLoggedIn() ? el("li", {}, logIn(shopper, view)) : null,
      goods && step(`#/goods/${goods}`, "guide.buy"),
      coupon && step("#/coupons", "guide.coupon"),
      sale && rush(sale, view),
      period && step(`#/periods/${period}`, "guide.win"),
      drawn
        ? step(`#/periods/${drawn}/proof`, "guide.verify")
        : period && step(`#/periods/${period}`, "guide.verify-later"),
      packet && step(`#/packets/${packet}`, "guide.packet"),
      operator && step("/admin/", "guide.console", {}, code(operator)),
      step("/api/docs/", "guide.api"),
    ),
  );
}

/** A line: its link, and what is seen there. */
function step(href, name, values = {}, ...more) {
  return el("li", {}, el("a", { href }, t(name, values)), " ", t(`${name}-says`, values), more);
}

function logIn(shopper, view) {
  const begin = async () => {
    await api.logIn({ body: shopper });
    await view.refresh();
  };
  return [button(t("guide.log-in", shopper), begin, { kind: "main" }), code(shopper)];
}

function rush(sale, view) {
  if (secondsUntil(sale.starts_at) === 0) return step(`#/sales/${sale.id}`, "guide.sale");
  return step(
    `#/sales/${sale.id}`,
    "guide.opening",
    {},
    el("span", {}, " ", t("sale.starts-in"), " ", countdown(view, sale.starts_at, { over: view.refresh })),
  );
}

function code({ username, password }) {
  return el("span", { class: "mono" }, ` ${username} / ${password}`);
}
