/**
 * Red packets: sending one, opening one by its link, and all that were sent and received.
 */
import { api, go } from "../app.js";
import { el, fill } from "../ui/dom.js";
import { fenOf } from "../ui/money.js";
import { badge, button, choice, field, form, price, progress } from "../ui/parts.js";
import { say } from "../ui/say.js";
import { inWords, moment, t } from "../ui/words.js";

const QUEUE_SECONDS = 0.5;

export async function packetsPage() {
  const { sent, received } = await api.listMyPackets();
  const row = (packet, fen, more) =>
    el(
      "li",
      {},
      el("a", { href: `#/packets/${packet.id}` }, packet.greeting || t("packet.title")),
      price(fen),
      more,
    );
  const list = (title, { count, sum_fen, results }, rows) => [
    el("h2", {}, title),
    el("p", {}, t("packet.count", { count }), " ", price(sum_fen)),
    el("ul", { class: "rows" }, results.map(rows)),
  ];
  return {
    title: t("nav.packets"),
    body: [
      sending(),
      list(t("packet.sent"), sent, (packet) =>
        row(packet, packet.total_fen, badge(t(`packet.status.${packet.status}`), packet.status)),
      ),
      list(t("packet.received"), received, (packet) =>
        row(packet, packet.amount_fen, el("small", {}, nameOf(packet.sender))),
      ),
    ],
  };
}

function sending() {
  const send = async ({ total, count, split, greeting }) => {
    const total_fen = fenOf(total);
    if (total_fen === null) return say(t("money.not"), { bad: true });
    const packet = await api.sendPacket({
      body: { total_fen, count: Number(count), split, ...(greeting ? { greeting } : {}) },
    });
    return go(`/packets/${packet.id}`);
  };
  return form(
    [
      field(t("packet.total"), { name: "total", required: true, inputmode: "decimal" }),
      field(t("packet.parts"), {
        name: "count",
        type: "number",
        min: 1,
        value: 5,
        required: true,
        inputmode: "numeric",
      }),
      choice(t("packet.split"), "split", [
        ["random", t("packet.random")],
        ["equal", t("packet.equal")],
      ]),
      field(t("packet.greeting"), { name: "greeting", maxlength: 60 }),
    ],
    t("packet.send"),
    send,
  );
}

export async function packetPage({ id }, view) {
  const packet = await api.readPacket({ packet_id: id });
  const outcome = el("div", { class: "outcome", role: "status" });
  if (packet.mine?.status === "confirmed") fill(outcome, got(packet.mine.amount_fen));
  if (packet.mine?.status === "failed") fill(outcome, inWords(packet.mine.failure));
  return {
    title: packet.greeting || t("packet.title"),
    body: [
      el("p", {}, t("packet.from", { sender: nameOf(packet.sender) })),
      el("p", {}, badge(t(`packet.status.${packet.status}`), packet.status), " ", price(packet.total_fen)),
      progress(
        packet.grabbed_count,
        packet.count,
        t("packet.opened", { opened: packet.grabbed_count, count: packet.count }),
      ),
      packet.status === "open" && packet.mine === null ? opening(id, outcome, view) : null,
      outcome,
      el("ul", { class: "rows" }, packet.grabs.map(grabRow)),
      link(id),
    ],
  };
}

function opening(id, outcome, view) {
  return button(
    t("packet.open"),
    async () => {
      try {
        const grabbed = await opened(id, outcome, view);
        if (grabbed === null) return;
        await view.refresh();
      } catch (error) {
        if (error.code !== "already_grabbed") fill(outcome, el("p", { class: "bad" }, inWords(error)));
        else fill(outcome, got(error.data.amount_fen));
      }
    },
    { kind: "main" },
  );
}

/** Takes a part; where that is queued, waits for it. Null when the page was left first. */
async function opened(id, outcome, view) {
  const grabbed = await api.grabPacket({ packet_id: id });
  let mine = { status: "confirmed", ...grabbed };
  while (mine.status === "pending") {
    fill(outcome, t("packet.queued"));
    if (!(await view.pause(QUEUE_SECONDS))) return null;
    mine = (await api.readPacket({ packet_id: id })).mine ?? mine;
  }
  return mine;
}

function got(fen) {
  return el("p", { class: "good large" }, t("packet.got"), " ", price(fen));
}

function grabRow(grab) {
  return el(
    "li",
    {},
    el("span", {}, nameOf(grab), " ", grab.is_best ? badge(t("packet.best"), "open") : null),
    price(grab.amount_fen),
    el("small", {}, moment(grab.at)),
  );
}

/** The address to send to friends: whoever has it may open the packet. */
function link(id) {
  const address = `${location.origin}${location.pathname}#/packets/${id}`;
  return el(
    "label",
    { class: "field" },
    el("span", {}, t("packet.link")),
    el("input", { readonly: true, value: address, on: { focus: (event) => event.target.select() } }),
  );
}

function nameOf({ nickname }) {
  return nickname || t("packet.someone");
}
