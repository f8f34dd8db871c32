/**
 * The language of the page, and its words. Each language is a module of the same names.
 */
import { en } from "../words/en.js";
import { zh } from "../words/zh.js";

const CATALOGUES = { "zh-Hans": zh, en };
let chosen = "zh-Hans";

/** The first of these wishes (of a browser: "en-GB", "zh-CN") that there are words for. */
export function best(wishes) {
  const known = wishes.map((wish) =>
    Object.keys(CATALOGUES).find((code) => wish.slice(0, 2).toLowerCase() === code.slice(0, 2)),
  );
  return known.find(Boolean) ?? "zh-Hans";
}

export function speak(code) {
  chosen = code in CATALOGUES ? code : "zh-Hans";
}

export function language() {
  return chosen;
}

/** The other one, for the switch. */
export function otherLanguage() {
  return chosen === "en" ? "zh-Hans" : "en";
}

export function has(name) {
  return name in CATALOGUES[chosen];
}

/** The words of this name, with `{value}`s filled in. */
export function t(name, values = {}) {
  const words = CATALOGUES[chosen][name] ?? name;
  return words.replace(/\{(\w+)\}/g, (all, value) => values[value] ?? all);
}

/** What went wrong, in words: ours for the code, else the shop's. */
export function inWords(problem) {
  const name = `problem.${problem.code}`;
  const fields = (problem.data?.errors ?? []).map(({ message }) => message).filter(Boolean);
  if (fields.length) return fields.join(" ");
  if (has(name)) return t(name, problem.data);
  return problem.detail || problem.title || t("problem.unknown");
}

/** A moment as people read it. */
export function moment(text) {
  return new Intl.DateTimeFormat(chosen, { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(text),
  );
}
