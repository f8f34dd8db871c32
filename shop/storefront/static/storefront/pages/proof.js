/**
 * "Verify it yourself": the draw computed again in this browser, each step with what came out.
 */
import { api, shared } from "../app.js";
import { savedOf } from "../draw/saved.js";
import { verify } from "../draw/verify.js";
import { el } from "../ui/dom.js";
import { t } from "../ui/words.js";

const SIGNS = { ok: "✓", wrong: "✗", unchecked: "–" };
const UNSHOWN = ["saved", "silence", "buyers", "receipt", "hash"];

export async function proofPage({ id }) {
  const transcript = await api.readProof({ period_id: id });
  if (!globalThis.crypto?.subtle) {
    return { title: t("proof.title"), body: [el("p", { class: "bad" }, t("proof.no-crypto"))] };
  }
  const steps = await verify(transcript, savedOf(shared, id));
  const count = (verdict) => steps.filter((step) => step.verdict === verdict).length;
  const isWrong = count("wrong") > 0;
  const counts = { ok: count("ok"), wrong: count("wrong"), unchecked: count("unchecked") };
  const kind = kindOf(transcript);
  return {
    title: t("proof.title"),
    body: [
      el("p", {}, t("proof.says")),
      el(
        "p",
        { class: isWrong ? "verdict bad" : "verdict good", role: "status" },
        `${SIGNS[isWrong ? "wrong" : "ok"]} `,
        t(isWrong ? "proof.wrong" : "proof.right", counts),
      ),
      kind === "local" ? el("p", { class: "bad" }, "⚠ ", t("proof.not-independent")) : null,
      el("ol", { class: "steps" }, steps.map(stepRow)),
      el("h2", {}, t("proof.unshown")),
      el(
        "ul",
        {},
        [...UNSHOWN, kind].map((name) => el("li", {}, t(`proof.unshown.${name}`))),
      ),
      el("p", {}, el("a", { href: `#/periods/${id}` }, t("proof.back"))),
    ],
  };
}

/** What its value comes from, as far as it says: a beacon that is not independent is the shop's. */
function kindOf(transcript) {
  if (transcript?.scheme === "classic") return "classic";
  return transcript?.beacon?.independent === true ? "beacon" : "local";
}

function stepRow({ step, verdict, computed, said, why }) {
  return el(
    "li",
    { class: verdict, "data-step": step },
    el("span", { class: verdict === "wrong" ? "bad" : "good", "aria-hidden": "true" }, SIGNS[verdict]),
    el(
      "div",
      {},
      el("p", {}, el("strong", {}, t(`step.${step}`)), ` (${t(`verdict.${verdict}`)})`),
      why ? el("p", {}, t(`why.${why}`)) : null,
      computed === null ? null : el("p", { class: "mono" }, t("proof.computed", { value: computed })),
      verdict === "wrong" && said !== null
        ? el("p", { class: "mono" }, t("proof.said", { value: said }))
        : null,
    ),
  );
}
