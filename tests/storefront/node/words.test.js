/** Both languages have the same words, and money is text only at the edge. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { en } from "../../../shop/storefront/static/storefront/words/en.js";
import { zh } from "../../../shop/storefront/static/storefront/words/zh.js";
import { best, inWords, speak, t } from "../../../shop/storefront/static/storefront/ui/words.js";
import { fenOf, yuan } from "../../../shop/storefront/static/storefront/ui/money.js";
import { Problem } from "../../../shop/storefront/static/storefront/api/problem.js";

const FOLDER = new URL("../../../shop/storefront/static/storefront/", import.meta.url);
const values = (words) => (words.match(/\{\w+\}/g) ?? []).sort();

test("both languages have the same names, and the same values in them", () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  for (const name of Object.keys(en)) assert.deepEqual(values(zh[name]), values(en[name]), name);
});

test("each name that a page uses has words", () => {
  const files = readdirSync(FOLDER, { recursive: true }).filter((name) => name.endsWith(".js"));
  assert.ok(files.length > 20);
  for (const file of files) {
    const source = readFileSync(new URL(file, FOLDER), "utf8");
    for (const [, name] of source.matchAll(/\bt\("([^"]+)"/g)) assert.ok(name in en, `${file}: ${name}`);
  }
});

test("the language is the first wish that there are words for", () => {
  assert.equal(best(["fr", "en-GB", "zh-CN"]), "en");
  assert.equal(best(["zh-TW", "en"]), "zh-Hans");
  assert.equal(best(["fr"]), "zh-Hans");
});

test("a refusal is told in our words, else in the shop's", () => {
  speak("en");
  const problem = (code, more = {}) => new Problem({ status: 409, code, ...more });
  assert.equal(inWords(problem("sold_out", { title: "x" })), "Sold out.");
  assert.equal(inWords(problem("brand_new", { title: "Brand new" })), "Brand new");
  const errors = [{ field: "phone", code: "invalid", message: "No number." }];
  assert.equal(inWords(problem("invalid", { data: { errors } })), "No number.");
  assert.equal(t("left", { count: 3 }), "3 left");
});

test("fen become yuan and yuan fen, exactly", () => {
  assert.deepEqual([1, 10, 1280, -5, 123456789].map(yuan), [
    "0.01",
    "0.10",
    "12.80",
    "-0.05",
    "1234567.89",
  ]);
  assert.deepEqual(["12.8", "0.29", " 7 ", "1.15"].map(fenOf), [1280, 29, 700, 115]);
  assert.deepEqual(["", "1.234", "-1", "1e3", "x", "."].map(fenOf), [null, null, null, null, null, null]);
});
