/**
 * Money is an integer number of fen, here as everywhere; yuan exist as text only.
 */

/** `1280` is "12.80". */
export function yuan(fen) {
  const sign = fen < 0 ? "-" : "";
  const size = Math.abs(fen);
  return `${sign}${Math.floor(size / 100)}.${String(size % 100).padStart(2, "0")}`;
}

/** "12.8" is `1280`; null for what is no amount of money. */
export function fenOf(text) {
  const parts = /^\s*(\d{1,12})(?:[.](\d{1,2}))?\s*$/.exec(text);
  if (parts === null) return null;
  return Number(parts[1]) * 100 + Number((parts[2] ?? "").padEnd(2, "0"));
}
