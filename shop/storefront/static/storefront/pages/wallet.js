/**
 * The wallet: what is in it, what came and went, and topping it up.
 */
import { api } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { fenOf } from "../ui/money.js";
import { amount, button, choice, field, form, price } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { has, moment, t } from "../ui/words.js";

export async function walletPage(_, view) {
  const wallet = await api.readWallet();
  const list = el("ul", { class: "rows postings" });
  const more = el("p");
  async function look(before) {
    const found = await api.listPostings({ before, page_size: 20 });
    list.append(...found.results.map(postingRow));
    const next = found.next && new URL(found.next, location.href).searchParams.get("before");
    fill(more, next ? button(t("more"), () => look(next)) : null);
  }
  await look();
  return {
    title: t("nav.wallet"),
    body: [
      el("p", { class: "large" }, price(wallet.cny_fen)),
      el("p", { class: "large" }, amount(wallet.points, "points")),
      el("p", {}, el("a", { href: "#/packets" }, t("nav.packets"))),
      el("p", {}, el("a", { href: "#/addresses" }, t("address.title"))),
      el("h2", {}, t("wallet.top-up")),
      toppingUp(view),
      el("h2", {}, t("wallet.postings")),
      list,
      more,
    ],
  };
}

function toppingUp(view) {
  const topUp = async ({ amount: text, provider }) => {
    const amount_fen = fenOf(text);
    if (amount_fen === null) return say(t("money.not"), { bad: true });
    const payment = await api.topUp({ body: { amount_fen, provider } });
    if (payment.status === "pending") {
      await api.succeedInSandbox({ payment_no: payment.payment_no });
    }
    await view.refresh();
    return say(t("wallet.topped-up"));
  };
  return form(
    [
      field(t("wallet.amount"), { name: "amount", required: true, inputmode: "decimal" }),
      choice(t("wallet.provider"), "provider", [["sandbox", t("wallet.sandbox")]]),
    ],
    t("wallet.top-up"),
    topUp,
  );
}

function postingRow(posting) {
  const kind = `posting.${posting.kind}`;
  return el(
    "li",
    {},
    el("span", {}, has(kind) ? t(kind) : posting.kind),
    amount(posting.amount, posting.currency),
    el("small", {}, moment(posting.created_at)),
  );
}
