/**
 * Coupons: those on offer, to be claimed, and those that the shopper holds.
 */
import { api, go, isLoggedIn } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { yuan } from "../ui/money.js";
import { badge, button, countdown, progress } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { moment, t } from "../ui/words.js";

export async function couponsPage(_, view) {
  const offered = await api.listCoupons({ page_size: 100 });
  return {
    title: t("coupon.title"),
    body: [
      el("h2", {}, t("coupon.offered")),
      offered.results.length
        ? el("ul", { class: "rows" }, offered.results.map((coupon) => offeredRow(coupon, view)))
        : el("p", {}, t("coupon.none-offered")),
      el("h2", {}, t("coupon.mine")),
      isLoggedIn() ? await mine() : el("p", {}, el("a", { href: "#/login" }, t("coupon.log-in"))),
    ],
  };
}

/** What a coupon takes off, and from what total on. */
export function terms({ kind, off_fen, percent, most_fen, minimum_fen, scope }) {
  const off = {
    amount: () => t("coupon.amount", { off: yuan(off_fen) }),
    percent: () =>
      most_fen === null
        ? t("coupon.percent", { percent })
        : t("coupon.percent-most", { percent, most: yuan(most_fen) }),
    freight: () => t("coupon.freight"),
  }[kind]();
  return [
    off,
    minimum_fen ? t("coupon.from", { minimum: yuan(minimum_fen) }) : null,
    scope === "all" ? null : t(`coupon.scope.${scope}`),
  ]
    .filter(Boolean)
    .join(", ");
}

function offeredRow(coupon, view) {
  const isOpen = coupon.status === "open";
  const claim = async () => {
    if (!isLoggedIn()) return go("/login");
    await api.claimCoupon({ coupon_id: coupon.id });
    say(t("coupon.claimed"));
    return view.refresh();
  };
  const until = coupon.status === "scheduled" ? coupon.starts_at : coupon.ends_at;
  return el(
    "li",
    {},
    el("span", {}, el("strong", {}, coupon.title), " ", terms(coupon)),
    isOpen
      ? button(t("coupon.claim"), claim, {
          kind: "main",
          "aria-label": `${t("coupon.claim")}: ${coupon.title}`,
        })
      : badge(t(`coupon.status.${coupon.status}`), coupon.status),
    progress(
      coupon.total - coupon.remaining,
      coupon.total,
      t("coupon.left", { left: coupon.remaining, total: coupon.total }),
    ),
    coupon.per_user_limit ? el("small", {}, t("coupon.limit", { limit: coupon.per_user_limit })) : null,
    coupon.status === "sold_out"
      ? null
      : el(
          "small",
          {},
          t(isOpen ? "coupon.claimed-until" : "coupon.claimed-from"),
          " ",
          countdown(view, until, { over: view.refresh }),
        ),
  );
}

async function mine() {
  const list = el("ul", { class: "rows mine" });
  const more = el("p");
  async function look(before) {
    const found = await api.listMyCoupons({ before, page_size: 20 });
    list.append(...found.results.map(issuedRow));
    const next = found.next && new URL(found.next, location.href).searchParams.get("before");
    fill(
      more,
      list.children.length ? null : t("coupon.none"),
      next ? button(t("more"), () => look(next)) : null,
    );
  }
  await look();
  return [list, more];
}

function issuedRow({ coupon, status, order_no, valid_from, expires_at, server_time }) {
  const isEarly = Date.parse(valid_from) > Date.parse(server_time);
  return el(
    "li",
    {},
    el("span", {}, el("strong", {}, coupon.title), " ", terms(coupon)),
    badge(t(`coupon.mine.${status}`), status),
    order_no ? el("a", { href: `#/orders/${order_no}` }, t("coupon.order")) : null,
    status === "issued" && isEarly
      ? el("small", {}, t("coupon.valid-from", { from: moment(valid_from) }))
      : null,
    status === "used" ? null : el("small", {}, t("coupon.until", { until: moment(expires_at) })),
  );
}
