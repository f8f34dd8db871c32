/**
 * The browser's verifier against the page that specifies a draw: its example is right, and whatever is
 * changed in it is found, at the step that it belongs to.
 */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Permutation } from "../../../shop/storefront/static/storefront/draw/permutation.js";
import { fromHex } from "../../../shop/storefront/static/storefront/draw/bytes.js";
import { verify } from "../../../shop/storefront/static/storefront/draw/verify.js";
import { en } from "../../../shop/storefront/static/storefront/words/en.js";

globalThis.crypto ??= webcrypto;
const PAGE = readFileSync(new URL("../../../docs/draw.md", import.meta.url), "utf8");
const EXAMPLE = JSON.parse(/```json\n(.*)\n```/.exec(PAGE)[1]);
const SAVED = {
  commitment: EXAMPLE.commitment,
  root: EXAMPLE.root,
  round: EXAMPLE.beacon.round,
  receipts: [/receipt 2 = (\w+)/.exec(PAGE)[1]],
};

/** The verdict of each step; and whatever a step says, the page has words for. */
async function verdicts(transcript, saved) {
  const steps = await verify(transcript, saved);
  for (const { step, verdict, why } of steps) {
    const names = [`step.${step}`, `verdict.${verdict}`, ...(why ? [`why.${why}`] : [])];
    for (const name of names) assert.ok(name in en, name);
  }
  return Object.fromEntries(steps.map(({ step, verdict }) => [step, verdict]));
}

/** The steps that are wrong once `change` was made to the example. */
async function wrongAfter(change, saved) {
  const transcript = structuredClone(EXAMPLE);
  change(transcript);
  const found = await verdicts(transcript, saved);
  return Object.keys(found).filter((step) => found[step] === "wrong");
}

test("the example is right, and only the beacon's signature is not checked", async () => {
  const found = await verdicts(EXAMPLE, SAVED);
  const unchecked = Object.keys(found).filter((step) => found[step] !== "ok");
  assert.deepEqual(unchecked, ["signature"]);
  assert.equal(Object.keys(found).length, 14);
});

test("what was not saved is not checked, and said to be so", async () => {
  const found = await verdicts(EXAMPLE);
  for (const step of ["saved-commitment", "saved-root", "saved-round", "receipts"]) {
    assert.equal(found[step], "unchecked");
  }
});

test("the numbers of all shares are those of the page, there and back", async () => {
  const seed = fromHex(EXAMPLE.seed);
  const numbers = /numbers of shares 0 to 9 = (.*)/.exec(PAGE)[1].split(" ").map(Number);
  const permutation = await Permutation.of(seed, 10);
  for (const [index, number] of numbers.entries()) {
    assert.equal(EXAMPLE.terms.first_number + (await permutation.forth(index)), number);
    assert.equal(await permutation.back(number - EXAMPLE.terms.first_number), index);
  }
});

for (const [what, change, steps] of [
  ["another seed", (it) => (it.seed = `ff${it.seed.slice(2)}`), ["commitment", "index", "number"]],
  ["other terms", (it) => (it.terms.share_price = 1), ["commitment"]],
  ["another commitment", (it) => (it.commitment = it.root), ["commitment"]],
  ["an entry that is left out", (it) => it.entries.splice(1, 1), ["entries", "root"]],
  ["a share held twice", (it) => (it.entries[2][1] = 4), ["entries", "root"]],
  ["another nonce", (it) => (it.entries[0][3] = it.entries[1][3]), ["root"]],
  ["two entries of one name", (it) => (it.entries[1][0] = it.entries[0][0]), ["entries", "root"]],
  ["another root", (it) => (it.root = it.commitment), ["root", "index"]],
  ["another round", (it) => (it.beacon.round += 1), ["round", "index"]],
  ["another close", (it) => (it.closed_at = "2024-08-04T20:28:29.731000Z"), ["round"]],
  ["another value", (it) => (it.beacon.value = it.root), ["value", "index"]],
  ["a beacon that boasts", (it) => (it.beacon.independent = false), ["value"]],
  ["another index", (it) => (it.index = 2), ["index", "number"]],
  ["another number", (it) => (it.number += 1), ["number"]],
  ["another winner", (it) => (it.winning_entry_no = it.entries[2][0]), ["winner"]],
  ["one share more", (it) => (it.shares_sold += 1), ["entries", "index"]],
]) {
  test(`${what} is found`, async () => {
    const found = await wrongAfter(change);
    for (const step of steps) assert.ok(found.includes(step), `${step} of ${found}`);
    assert.ok(found.length <= steps.length + 1, `too much: ${found}`);
  });
}

for (const [what, saved, step] of [
  ["commitment", { commitment: EXAMPLE.root }, "saved-commitment"],
  ["root", { root: EXAMPLE.commitment }, "saved-root"],
  ["round", { round: 7 }, "saved-round"],
  ["receipt", { receipts: [EXAMPLE.root] }, "receipts"],
]) {
  test(`a ${what} other than the saved one is found`, async () => {
    assert.deepEqual(await wrongAfter(() => {}, saved), [step]);
  });
}

for (const [what, change] of [
  ["a member too many", (it) => (it.note = "trust me")],
  ["a member missing", (it) => delete it.root],
  ["a term too many", (it) => (it.terms.note = 1)],
  ["a text for a number", (it) => (it.index = "3")],
  ["a fraction", (it) => (it.number = 1000004.5)],
  ["capitals in hex", (it) => (it.seed = it.seed.toUpperCase())],
  ["a day that is none", (it) => (it.closed_at = "2024-02-30T20:28:22.731000Z")],
  ["an unknown scheme", (it) => (it.terms.scheme = it.scheme = "constructor")],
  ["two schemes", (it) => (it.scheme = "classic")],
  ["no entries", (it) => (it.entries = [])],
  ["an entry with a line break", (it) => (it.entries[0][0] = "1\n")],
]) {
  test(`${what} is no transcript`, async () => {
    assert.deepEqual(await wrongAfter(change), ["form"]);
  });
}

for (const nothing of [null, 1, "x", [], {}]) {
  test(`${JSON.stringify(nothing)} is no transcript`, async () => {
    assert.equal((await verdicts(nothing)).form, "wrong");
  });
}

test("a classic draw of the same shares is computed as the page says", async () => {
  const number = Number(/classic number with public number 12345 = (\d+)/.exec(PAGE)[1]);
  const index = Number(/classic index = (\d+)/.exec(PAGE)[1]);
  const transcript = structuredClone(EXAMPLE);
  Object.assign(transcript.terms, { scheme: "classic", beacon: null, beacon_delay_seconds: 0 });
  transcript.entries[2][2] = 5; // all ten are sold
  Object.assign(transcript, {
    scheme: "classic",
    beacon: null,
    shares_sold: 10,
    classic: {
      buy_times: ["2024-08-04T01:05:07.042Z", "2024-08-04T16:00:00.000Z"],
      public_number: 12345,
    },
    index,
    number,
    winning_entry_no: transcript.entries[2][0],
  });

  const found = await verdicts(transcript);

  // Its seed was committed to with other terms, and its root with another last entry.
  assert.deepEqual(
    Object.keys(found).filter((step) => found[step] === "wrong"),
    ["commitment", "root"],
  );
  assert.equal(found.facts, "unchecked");
  transcript.number = 1000002;
  assert.equal((await verdicts(transcript)).number, "wrong");
});
