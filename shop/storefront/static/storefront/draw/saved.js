/**
 * What this browser saw before a draw: without it, a proof only agrees with itself.
 *
 * The first commitment that was ever seen of a period is kept, and the first root and round; later ones
 * never take their place. Receipts are added as entries get them.
 */
const PLACE = "saved/period/";

export function savedOf(storage, period) {
  return storage.read(`${PLACE}${period}`) ?? { receipts: [] };
}

/** Keeps what a period shows, as long as it is not drawn: afterwards it would prove nothing. */
export function save(storage, period) {
  if (!["open", "closed"].includes(period.status)) return;
  const saved = savedOf(storage, period.id);
  const round = period.beacon?.round ?? null;
  storage.write(`${PLACE}${period.id}`, {
    ...saved,
    commitment: saved.commitment ?? period.commitment,
    root: saved.root ?? (period.root || null),
    round: saved.round ?? round,
  });
}

export function saveReceipts(storage, period, receipts) {
  const saved = savedOf(storage, period);
  const all = new Set([...saved.receipts, ...receipts.filter(Boolean)]);
  storage.write(`${PLACE}${period}`, { ...saved, receipts: [...all] });
}
