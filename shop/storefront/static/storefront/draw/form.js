/**
 * Whether something is a transcript at all: all members that docs/draw.md names, no others, each what
 * it can be. After this, nothing that is computed from it can be asked of the wrong kind of value.
 */
export const MAX_SHARES = 10 ** 12;
const HEX = /^[0-9a-f]*$/;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d+)Z$/;

/** drand's quicknet, the one beacon that counts as independent. */
export const QUICKNET = {
  name: "drand",
  chain_hash: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
  public_key:
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c" +
    "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb" +
    "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
  genesis: 1692803367,
  period_seconds: 3,
};

const integer = (low, high) => (value) => Number.isSafeInteger(value) && value >= low && value <= high;
const exactly = (wanted) => (value) => value === wanted;
const hex = (bytes) => (value) =>
  typeof value === "string" && value.length === 2 * bytes && HEX.test(value);
const text = (value) => typeof value === "string" && value !== "" && value.isWellFormed?.() !== false;
const orNull = (holds) => (value) => value === null || holds(value);
const anything = () => true;
const truth = (value) => typeof value === "boolean";
const array = (holds, least, most) => (value) =>
  Array.isArray(value) && value.length >= least && value.length <= most && value.every(holds);

function moment(digits) {
  return (value) => {
    const parts = typeof value === "string" ? MOMENT.exec(value) : null;
    if (parts === null || parts[1].length !== digits) return false;
    // The 30th of February is another day when it is written again.
    const whole = value.slice(0, 19);
    const at = Date.parse(`${whole}Z`);
    return Number.isFinite(at) && new Date(at).toISOString().startsWith(whole);
  };
}

function entry(value) {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [entryNo, first, count, nonce] = value;
  return (
    typeof entryNo === "string" &&
    /^[ -~]{1,64}$/.test(entryNo) &&
    integer(0, MAX_SHARES - 1)(first) &&
    integer(1, MAX_SHARES)(count) &&
    hex(16)(nonce)
  );
}

const TRANSCRIPT = {
  version: exactly(1),
  scheme: anything,
  terms: anything,
  commitment: hex(32),
  seed: hex(32),
  entries: array(entry, 1, Infinity),
  root: hex(32),
  shares_sold: integer(1, MAX_SHARES),
  closed_at: moment(6),
  beacon: anything,
  classic: anything,
  index: integer(0, MAX_SHARES - 1),
  number: integer(0, Number.MAX_SAFE_INTEGER),
  winning_entry_no: text,
};

const TERMS = {
  serial: text,
  prize_title: text,
  currency: text,
  share_price: integer(0, Number.MAX_SAFE_INTEGER),
  total_shares: integer(1, MAX_SHARES),
  minimum_shares: integer(0, MAX_SHARES),
  per_user_limit: orNull(integer(1, Number.MAX_SAFE_INTEGER)),
  first_number: integer(0, Number.MAX_SAFE_INTEGER - MAX_SHARES),
  ends_at: orNull(moment(6)),
};

const TERMS_OF = {
  "commit-beacon": {
    ...TERMS,
    scheme: exactly("commit-beacon"),
    beacon: anything,
    beacon_delay_seconds: integer(1, 86400),
    public_number_source: exactly(null),
  },
  classic: {
    ...TERMS,
    scheme: exactly("classic"),
    beacon: exactly(null),
    beacon_delay_seconds: exactly(0),
    public_number_source: orNull(text),
  },
};

const IDENTITY_OF = {
  drand: {
    name: exactly("drand"),
    chain_hash: hex(32),
    public_key: hex(96),
    genesis: integer(0, Number.MAX_SAFE_INTEGER),
    period_seconds: integer(1, Number.MAX_SAFE_INTEGER),
  },
  local: {
    name: exactly("local"),
    chain_hash: exactly(null),
    public_key: exactly(null),
    genesis: exactly(1),
    period_seconds: exactly(1),
  },
};

const CLASSIC = {
  buy_times: array(moment(3), 1, 50),
  public_number: integer(0, 99999),
};

/** The name of the first thing that is not as it must be ("terms.serial"), or null. */
export function fault(said) {
  return (
    faultIn("", said, TRANSCRIPT) ??
    faultIn("terms.", said.terms, chosen(TERMS_OF, said.terms?.scheme)) ??
    (said.scheme === said.terms.scheme ? null : "scheme") ??
    (said.scheme === "classic" ? faultInClassic(said) : faultInBeacon(said))
  );
}

function faultInClassic({ beacon, classic, closed_at }) {
  const found = faultIn("classic.", classic, CLASSIC);
  if (found !== null) return found;
  if (beacon !== null) return "beacon";
  const times = classic.buy_times;
  // Without their last letter they sort as they follow each other.
  const ascend = times.every((time, at) => at === 0 || times[at - 1] <= time);
  return ascend && times.at(-1).slice(0, -1) <= closed_at ? null : "classic.buy_times";
}

function faultInBeacon({ beacon, classic, terms }) {
  const identity = terms.beacon;
  const found = faultIn("terms.beacon.", identity, chosen(IDENTITY_OF, identity?.name));
  if (found !== null) return found;
  if (classic !== null) return "classic";
  return faultIn("beacon.", beacon, {
    name: exactly(identity.name),
    round: integer(1, Number.MAX_SAFE_INTEGER),
    value: hex(32),
    signature: hex(identity.name === "drand" ? 48 : 32),
    independent: truth,
  });
}

function chosen(among, name) {
  return typeof name === "string" && Object.hasOwn(among, name) ? among[name] : null;
}

function faultIn(where, value, members) {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject || members === null) return where.replace(/\.$/, "") || "transcript";
  const stranger = Object.keys(value).find((name) => !Object.hasOwn(members, name));
  if (stranger !== undefined) return where + stranger;
  const wrong = Object.entries(members).find(
    ([name, holds]) => !Object.hasOwn(value, name) || !holds(value[name]),
  );
  return wrong === undefined ? null : where + wrong[0];
}
