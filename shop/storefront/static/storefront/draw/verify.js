/**
 * Computes a draw again, step by step, from docs/draw.md alone: it shares nothing with the shop.
 *
 * `verify(transcript, saved)` returns a list of `{step, verdict, computed, said, why}`, `verdict` being
 * "ok", "wrong" or "unchecked"; `why` names the reason in one word, for pages to put into theirs.
 * `saved` is what was kept before: `{commitment, root, round, receipts}`. Two things are never checked
 * here: the beacon's signature, for which browsers have no curve, and what a proof can't show.
 */
import { bytesOf, fromHex, hmac, joined, sha256, toHex, unsigned, word } from "./bytes.js";
import { canonicalJson } from "./canonical.js";
import { QUICKNET, fault } from "./form.js";
import { Permutation } from "./permutation.js";

const DAY = 86400000;

class Wrong extends Error {
  constructor(why, { computed = null, said = null } = {}) {
    super(why);
    Object.assign(this, { why, computed, said });
  }
}

class Unchecked extends Wrong {}

export async function verify(transcript, saved = {}) {
  const broken = fault(transcript);
  if (broken !== null) {
    return [
      { step: "form", verdict: "wrong", computed: null, said: broken, why: "form" },
      { step: "everything-else", verdict: "unchecked", computed: null, said: null, why: "form" },
    ];
  }
  const facts = await factsOf(transcript);
  const steps = [{ step: "form", verdict: "ok", computed: transcript.scheme, said: null, why: "" }];
  const isClassic = transcript.scheme === "classic";
  const drawn = isClassic
    ? { facts: publicFacts, index: classicIndex, number: classicNumber }
    : { round, value, signature, index: beaconIndex, number: beaconNumber };
  for (const [step, check] of Object.entries({
    commitment,
    entries,
    root,
    ...drawn,
    winner,
    "saved-commitment": () => kept(saved.commitment, transcript.commitment),
    "saved-root": () => kept(saved.root, transcript.root),
    ...(isClassic ? {} : { "saved-round": () => kept(saved.round, transcript.beacon.round) }),
    receipts: () => receipts(facts, saved.receipts ?? []),
  })) {
    steps.push(await outcome(step, () => check(facts)));
  }
  return steps;
}

async function outcome(step, check) {
  try {
    return { step, verdict: "ok", computed: await check(), said: null, why: "" };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    const verdict = error instanceof Unchecked ? "unchecked" : "wrong";
    return { step, verdict, computed: error.computed, said: error.said, why: error.why };
  }
}

async function factsOf(said) {
  const seed = fromHex(said.seed);
  return {
    said,
    terms: said.terms,
    seed,
    leaves: await leavesOf(said.entries),
    permutation: await Permutation.of(seed, said.terms.total_shares),
  };
}

// --- each of these returns what it computed, and throws where the transcript says something else

function same(computed, said) {
  if (computed !== said) throw new Wrong("differs", { computed, said });
  return computed;
}

async function commitment({ said, seed, terms }) {
  const text = bytesOf(canonicalJson(terms));
  return same(toHex(await sha256(bytesOf("scarce/draw/v1/commitment"), seed, text)), said.commitment);
}

function entries({ said, terms }) {
  let end = 0;
  for (const [entryNo, first, count] of said.entries) {
    if (first !== end) throw new Wrong("gap", { computed: end, said: `${entryNo}: ${first}` });
    end += count;
  }
  same(end, said.shares_sold);
  const names = new Set(said.entries.map(([entryNo]) => entryNo));
  if (names.size !== said.entries.length) throw new Wrong("twice");
  const fewest = said.scheme === "classic" ? terms.total_shares : terms.minimum_shares;
  if (end < fewest || end > terms.total_shares) throw new Wrong("sold", { computed: end });
  return end;
}

async function root({ said, leaves }) {
  return same(toHex(await merkleRoot(leaves)), said.root);
}

function round({ said, terms }) {
  const identity = terms.beacon;
  // Microseconds, in integers: milliseconds would lose a round now and then.
  const closed = BigInt(Date.parse(`${said.closed_at.slice(0, 19)}Z`)) * 1000n;
  const micros = closed + BigInt(said.closed_at.slice(20, 26));
  const late = micros + 1000000n * BigInt(terms.beacon_delay_seconds - identity.genesis);
  const period = 1000000n * BigInt(identity.period_seconds);
  const first = late <= 0n ? 1n : (late + period - 1n) / period + 1n;
  return same(Number(first), said.beacon.round);
}

async function value({ said, terms }) {
  same(canonicalJson(terms.beacon) === canonicalJson(QUICKNET), said.beacon.independent);
  return same(toHex(await sha256(fromHex(said.beacon.signature))), said.beacon.value);
}

function signature({ said }) {
  throw new Unchecked(said.beacon.name === "local" ? "local-beacon" : "signature", {
    said: said.beacon.signature,
  });
}

function publicFacts({ said }) {
  throw new Unchecked("classic", { said: said.terms.public_number_source });
}

async function beaconIndex({ said, seed }) {
  const key = await (await hmac(seed))(bytesOf("scarce/draw/v1/draw"));
  const digestOf = await hmac(key);
  const message = joined(
    fromHex(said.root),
    unsigned(said.beacon.round, 8),
    fromHex(said.beacon.value),
  );
  const sold = BigInt(said.shares_sold);
  const limit = 2n ** 64n - (2n ** 64n % sold);
  for (let counter = 0; ; counter += 1) {
    const digest = await digestOf(message, unsigned(counter, 4));
    for (let at = 0; at < 32; at += 8) {
      const drawn = word(digest, at);
      if (drawn >= limit) continue;
      same(Number(drawn % sold), said.index);
      return `${toHex(digest)} → ${drawn} mod ${sold} = ${said.index}`;
    }
  }
}

async function beaconNumber({ said, terms, permutation }) {
  if (said.index >= terms.total_shares) throw new Wrong("index");
  return same(terms.first_number + (await permutation.forth(said.index)), said.number);
}

async function classicIndex({ said, terms, permutation }) {
  const place = said.number - terms.first_number;
  if (place < 0 || place >= terms.total_shares) throw new Wrong("index");
  return same(await permutation.back(place), said.index);
}

function classicNumber({ said, terms }) {
  const { buy_times, public_number } = said.classic;
  const sum = buy_times.map(clockDigits).reduce((one, other) => one + other, 0);
  const number = terms.first_number + ((sum + public_number) % terms.total_shares);
  same(number, said.number);
  return `(${sum} + ${public_number}) mod ${terms.total_shares} → ${number}`;
}

function winner({ said }) {
  const holds = ([, first, count]) => said.index >= first && said.index < first + count;
  const holders = said.entries.filter(holds).map(([entryNo]) => entryNo);
  if (holders.length !== 1) throw new Wrong("holders", { computed: holders.length });
  return same(holders[0], said.winning_entry_no);
}

function kept(saved, said) {
  if (saved === undefined || saved === null) throw new Unchecked("not-saved", { said });
  return same(saved, said);
}

/** All that were saved must be inside. */
function receipts({ leaves }, saved) {
  if (saved.length === 0) throw new Unchecked("no-receipt");
  const inside = new Set(leaves.map(toHex));
  const lost = saved.find((receipt) => !inside.has(receipt));
  if (lost !== undefined) throw new Wrong("lost-receipt", { computed: lost });
  return saved.join(", ");
}

// --- the mathematics

const AT_ONCE = 1000;

async function leavesOf(entries) {
  const leaves = [];
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    const some = await Promise.all(entries.slice(at, at + AT_ONCE).map(leafHash));
    some.forEach((leaf) => leaves.push(leaf));
  }
  return leaves;
}

export async function leafHash([entryNo, first, count, nonce]) {
  const no = bytesOf(entryNo);
  return sha256(
    unsigned(0, 1),
    unsigned(no.length, 1),
    no,
    unsigned(first, 8),
    unsigned(count, 8),
    fromHex(nonce),
  );
}

/** Level by level, the last of an odd number moving up: the tree of RFC 6962. */
async function merkleRoot(hashes) {
  let level = hashes;
  while (level.length > 1) {
    const upper = [];
    for (let at = 0; at + 1 < level.length; at += 2) {
      upper.push(sha256(unsigned(1, 1), level[at], level[at + 1]));
    }
    const last = level.length % 2 ? [level.at(-1)] : [];
    level = [...(await Promise.all(upper)), ...last];
  }
  return level[0];
}

/** HHMMSSmmm on a clock at UTC+08:00. */
function clockDigits(buyTime) {
  const inDay = (((Date.parse(buyTime) + 8 * 3600000) % DAY) + DAY) % DAY;
  const [hours, minutes] = [Math.floor(inDay / 3600000), Math.floor(inDay / 60000) % 60];
  const [seconds, millis] = [Math.floor(inDay / 1000) % 60, inDay % 1000];
  return ((hours * 100 + minutes) * 100 + seconds) * 1000 + millis;
}
