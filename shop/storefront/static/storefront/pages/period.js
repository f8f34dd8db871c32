/**
 * A lottery period: how far it is, what I have of it, and what came out.
 */
import { api, isLoggedIn, shared } from "../app.js";
import { save, saveReceipts } from "../draw/saved.js";
import { el, fill } from "../ui/dom.js";
import { amount, badge, countdown, field, form, picture, progress } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { inWords, moment, t } from "../ui/words.js";

const LOOK_SECONDS = 2;
const QUEUE_SECONDS = 0.5;

export async function periodPage({ id }, view) {
  const [period, mine] = await Promise.all([
    api.readPeriod({ period_id: id }),
    isLoggedIn() ? api.listMyEntries({ period_id: id, page_size: 100 }) : null,
  ]);
  save(shared, period);
  if (mine && period.status === "open") saveReceipts(shared, period.id, receiptsOf(mine.results));
  const sold = el("div");
  const outcome = el("div", { role: "status", class: "outcome" });
  const show = (now) =>
    fill(
      sold,
      progress(
        now.sold_shares,
        now.total_shares,
        t("period.sold", { sold: now.sold_shares, total: now.total_shares }),
      ),
    );
  show(period);
  if (["open", "closed"].includes(period.status)) {
    view.every(LOOK_SECONDS, async () => {
      const now = await api.readPeriod({ period_id: id });
      save(shared, now);
      show(now);
      if (now.status !== period.status) view.outdated(outcome);
    });
  }
  return {
    title: period.prize.title,
    body: [
      el("div", { class: "picture" }, picture(period.prize.image)),
      el(
        "p",
        {},
        badge(t(`period.status.${period.status}`), period.status),
        " ",
        t("period.serial", { serial: period.serial }),
      ),
      el("p", {}, amount(period.share_price, period.currency), ` / ${t("period.share")}`),
      sold,
      when(period, view),
      result(period),
      entering(period, outcome, view),
      mine ? myEntries(mine.results) : null,
      promise(period),
    ],
  };
}

function receiptsOf(entries) {
  return entries.filter((entry) => entry.status === "confirmed").map((entry) => entry.receipt);
}

function when(period, view) {
  const dueAt = period.beacon?.due_at;
  if (period.status === "open" && period.ends_at) {
    return el("p", {}, t("period.ends-in"), " ", countdown(view, period.ends_at));
  }
  if (period.status === "closed" && dueAt) {
    return el("p", {}, t("period.drawn-in"), " ", countdown(view, dueAt));
  }
  return period.status === "cancelled" ? el("p", {}, t("period.says.cancelled")) : null;
}

function result({ draw, id, next_period }) {
  if (draw === null) return null;
  return el(
    "section",
    { class: "result" },
    el("h2", {}, t("period.result")),
    el("p", { class: "large" }, el("strong", { class: "number" }, draw.number)),
    el("p", {}, t("period.winner", { winner: draw.winner }), `, ${moment(draw.drawn_at)}`),
    el("p", {}, el("a", { class: "main", href: `#/periods/${id}/proof` }, t("period.verify"))),
    next_period ? el("p", {}, el("a", { href: `#/periods/${next_period}` }, t("period.next"))) : null,
  );
}

function entering(period, outcome, view) {
  if (period.status !== "open") return null;
  if (!isLoggedIn()) return el("a", { class: "main", href: "#/login" }, t("period.log-in"));
  const enter = async ({ shares, allow_partial }) => {
    let entry = await api.enterPeriod({
      period_id: period.id,
      body: { shares: Number(shares), allow_partial: allow_partial === "on" },
    });
    while (entry.status === "pending") {
      fill(outcome, t("period.queued"));
      if (!(await view.pause(QUEUE_SECONDS))) return;
      entry = await api.readEntry({ entry_no: entry.entry_no });
    }
    saveReceipts(shared, period.id, receiptsOf([entry]));
    if (entry.status === "failed") {
      fill(outcome, el("p", { class: "bad" }, inWords(entry.failure)));
      return;
    }
    say(t("period.entered", { shares: entry.shares }));
    await view.refresh();
  };
  const most = period.per_user_limit ?? 1000;
  return el(
    "div",
    {},
    form(
      [
        field(t("period.shares"), {
          name: "shares",
          type: "number",
          min: 1,
          max: Math.min(most, 1000),
          value: 1,
          required: true,
          inputmode: "numeric",
        }),
        el(
          "label",
          { class: "field check" },
          el("input", { type: "checkbox", name: "allow_partial" }),
          t("period.allow-partial"),
        ),
      ],
      t("period.enter"),
      enter,
    ),
    outcome,
  );
}

function myEntries(entries) {
  if (entries.length === 0) return null;
  const row = (entry) =>
    el(
      "li",
      {},
      el("span", { class: "numbers" }, entry.numbers.join(" ") || "–"),
      badge(t(`entry.status.${entry.status}`), entry.status),
      amount(entry.cost, entry.currency),
    );
  return el(
    "section",
    { class: "mine" },
    el("h2", {}, t("period.mine")),
    el("ul", { class: "rows" }, entries.map(row)),
  );
}

/** What is fixed already, to be kept and compared. */
function promise({ beacon, commitment, root }) {
  const line = (name, value) =>
    value ? el("div", {}, el("dt", {}, t(name)), el("dd", { class: "mono" }, value)) : null;
  return el(
    "details",
    {},
    el("summary", {}, t("period.promise")),
    el("p", {}, t("period.promise-says")),
    el(
      "dl",
      {},
      line("period.commitment", commitment),
      line("period.root", root),
      line("period.round", beacon?.round),
    ),
  );
}
