/**
 * Small parts of which pages are made.
 */
import { el } from "./dom.js";
import { secondsUntil, shownSeconds } from "./clock.js";
import { sayProblem } from "./say.js";
import { t } from "./words.js";
import { yuan } from "./money.js";

/** An amount in fen. */
export function price(fen) {
  return el("span", { class: "price" }, `¥${yuan(fen)}`);
}

/** An amount of either currency. */
export function amount(value, currency) {
  return currency === "points"
    ? el("span", { class: "price" }, t("points", { points: value }))
    : price(value);
}

/** A state, readable without its colour. */
export function badge(text, kind = "") {
  return el("span", { class: `badge ${kind}` }, text);
}

/** Keeps a button from being pressed again until its work is done; it keeps the focus meanwhile. */
export function button(label, work, { kind = "", ...attributes } = {}) {
  const node = el("button", { type: "button", class: kind, ...attributes }, label);
  node.addEventListener("click", () => once(node, work));
  return node;
}

/** A form whose one button sends it, once at a time; `work` is given the values by name. */
export function form(fields, label, work, attributes = {}) {
  const send = el("button", { type: "submit", class: "main" }, label);
  const node = el("form", attributes, fields, send);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    once(send, () => work(Object.fromEntries(new FormData(node))));
  });
  return node;
}

export function field(label, attributes) {
  const { hint = null, ...rest } = attributes;
  const described = hint ? `hint-${rest.name}` : null;
  return el(
    "label",
    { class: "field" },
    el("span", {}, label),
    el("input", { "aria-describedby": described, ...rest }),
    hint && el("small", { id: described }, hint),
  );
}

/** `choices`: [value, words]. */
export function choice(label, name, choices, chosen = null) {
  const options = choices.map(([value, words]) =>
    el("option", { value, selected: String(value) === String(chosen) }, words),
  );
  return el("label", { class: "field" }, el("span", {}, label), el("select", { name }, options));
}

/** The time until a moment, on the shop's clock; `over` is called once when it is there. */
export function countdown(view, until, { over = () => {} } = {}) {
  const node = el("span", { class: "countdown", role: "timer", "aria-live": "off" });
  // Where it is over from the start the shop does not say so yet: it is asked again, but calmly.
  const patience = secondsUntil(until) === 0 ? 2 : 0.2;
  let isOver = false;
  view.every(0.25, async () => {
    const seconds = secondsUntil(until);
    const text = shownSeconds(seconds);
    if (node.textContent !== text) node.textContent = text;
    if (seconds === 0 && !isOver) {
      isOver = true;
      // Not all telephones at once.
      if (await view.pause(patience + Math.random() / 2)) over();
    }
  });
  return node;
}

/** How far something has got, in words and as a bar. */
export function progress(done, all, words) {
  return el(
    "div",
    { class: "progress" },
    el("progress", { max: all, value: done, "aria-label": words }),
    el("span", {}, words),
  );
}

/** A picture beside words that say the same, so it is silent; without one a plain tile. */
export function picture(address) {
  return address
    ? el("img", { src: address, alt: "", width: 480, height: 480, loading: "lazy" })
    : el("div", { class: "no-picture", "aria-hidden": "true" }, "◇");
}

async function once(node, work) {
  if (node.getAttribute("aria-disabled") === "true") return;
  node.setAttribute("aria-disabled", "true");
  node.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    sayProblem(error);
  } finally {
    node.removeAttribute("aria-disabled");
    node.removeAttribute("aria-busy");
  }
}
