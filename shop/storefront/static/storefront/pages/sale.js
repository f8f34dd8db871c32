/**
 * A flash sale: what is left, how long it lasts by the shop's clock, and one button.
 */
import { api, go, isLoggedIn } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { badge, choice, countdown, field, form, picture, price, progress } from "../ui/parts.js";
import { inWords, t } from "../ui/words.js";
import { addressesFor, addressChoice } from "./addresses.js";

const LOOK_SECONDS = 2;
const QUEUE_SECONDS = 0.5;
const MOST_AT_ONCE = 5;

export async function salePage({ id }, view) {
  const [sale, addresses] = await Promise.all([
    api.readSale({ sale_id: id }),
    isLoggedIn() ? addressesFor() : [],
  ]);
  const stock = el("div", { "aria-live": "off" });
  const outcome = el("div", { class: "outcome", role: "status" });
  const show = (now) =>
    fill(
      stock,
      badge(t(`sale.status.${now.status}`), now.status),
      progress(
        now.total - now.remaining,
        now.total,
        t("sale.left", { left: now.remaining, total: now.total }),
      ),
    );
  show(sale);
  view.every(LOOK_SECONDS, async () => {
    const now = await api.readSale({ sale_id: id });
    show(now);
    if (now.status !== sale.status) view.outdated(outcome);
  });
  return {
    title: `${sale.goods_title} ${sale.spec}`,
    body: [
      el("div", { class: "picture" }, picture(sale.image)),
      el(
        "p",
        { class: "large" },
        price(sale.price_fen),
        " ",
        el("s", {}, price(sale.original_price_fen)),
      ),
      stock,
      times(sale, outcome, view),
      sale.per_user_limit ? el("p", {}, t("sale.limit", { limit: sale.per_user_limit })) : null,
      await offer(sale, addresses, outcome, view),
      outcome,
    ],
  };
}

function times(sale, outcome, view) {
  if (!["scheduled", "running", "paused"].includes(sale.status)) return null;
  const isComing = sale.status === "scheduled";
  const until = isComing ? sale.starts_at : sale.ends_at;
  return el(
    "p",
    {},
    t(isComing ? "sale.starts-in" : "sale.ends-in"),
    " ",
    countdown(view, until, { over: () => view.outdated(outcome) }),
  );
}

/** What can be done in the state it is in: buy, or read why not. */
async function offer(sale, addresses, outcome, view) {
  if (sale.status !== "running") return el("p", { class: "state" }, t(`sale.says.${sale.status}`));
  if (!isLoggedIn()) return el("a", { class: "main", href: "#/login" }, t("sale.log-in"));
  const most = Math.min(sale.per_user_limit ?? MOST_AT_ONCE, MOST_AT_ONCE);
  const counts = Array.from({ length: most }, (_, index) => [index + 1, index + 1]);
  const captcha = sale.protection === "captcha" ? new Captcha() : null;
  await captcha?.draw();
  return form(
    [
      choice(t("sale.count"), "count", counts),
      addresses.length ? addressChoice(addresses) : null,
      captcha?.node,
    ],
    t("sale.buy"),
    async (values) => {
      fill(outcome, el("p", {}, t("sale.sending")));
      try {
        await buy(sale, values, captcha, outcome, view);
      } catch (error) {
        captcha?.forget();
        fill(outcome, el("p", { class: "bad" }, inWords(error)));
        await captcha?.draw();
      }
    },
  );
}

async function buy(sale, values, captcha, outcome, view) {
  const wanted = {
    count: Number(values.count),
    ...(values.address ? { address: Number(values.address) } : {}),
  };
  const order = await api.buyInSale({
    sale_id: sale.id,
    // A token is good once, so it belongs to the body of this one intent and not to its name.
    intent: JSON.stringify(wanted),
    body: async () =>
      sale.protection === "none"
        ? wanted
        : { ...wanted, token: await token(sale, captcha?.answer(values)) },
  });
  const settled = await settle(order, outcome, view);
  if (settled === null) return;
  if (settled.status === "failed") {
    fill(outcome, el("p", { class: "bad" }, inWords(settled.failure)));
  } else {
    go(`/orders/${order.order_no}`);
  }
}

async function token(sale, answer = {}) {
  return (await api.getSaleToken({ sale_id: sale.id, body: answer })).token;
}

/** Waits for a queued order's turn; null when the page was left first. */
async function settle(order, outcome, view) {
  let now = order;
  while (now.status === "pending") {
    fill(outcome, el("p", {}, t("sale.queued")));
    if (!(await view.pause(QUEUE_SECONDS))) return null;
    now = await api.readOrder({ order_no: order.order_no });
  }
  return now;
}

/** A picture of letters, and what they are: each picture is good for one try. */
class Captcha {
  #id = null;
  #image = el("img", { alt: t("sale.captcha-alt"), class: "captcha" });
  #field = field(t("sale.captcha"), {
    name: "captcha_answer",
    required: true,
    autocomplete: "off",
    autocapitalize: "characters",
  });
  node = el("div", {}, this.#image, this.#field);

  async draw() {
    const { captcha_id, image } = await api.getCaptcha();
    this.#id = captcha_id;
    this.#image.src = image;
  }

  /** What was typed: at once, lest it take away what is being typed next. */
  forget() {
    this.#field.querySelector("input").value = "";
  }

  answer({ captcha_answer }) {
    return { captcha_id: this.#id, captcha_answer };
  }
}
