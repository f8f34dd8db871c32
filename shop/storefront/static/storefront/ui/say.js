/**
 * One line that everybody hears of: for eyes above the bottom edge, for screen readers a live region.
 */
import { el, fill } from "./dom.js";
import { inWords } from "./words.js";

const SECONDS = 8;
const line = el("div", { class: "say", role: "status", "aria-live": "polite" });
let timer = 0;

export function sayings() {
  return line;
}

export function say(text, { bad = false } = {}) {
  clearTimeout(timer);
  fill(line, el("p", { class: bad ? "bad" : null }, bad ? "⚠ " : "✓ ", text));
  timer = setTimeout(() => fill(line), SECONDS * 1000);
}

/** A refusal in words; whatever else was thrown is a fault of ours, for the console. */
export function sayProblem(error) {
  if (error.name === "AbortError") return;
  if (error.name !== "Problem") console.error(error);
  say(inWords(error), { bad: true });
}
