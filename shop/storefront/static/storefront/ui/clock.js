/**
 * The shop's time, whatever the telephone's clock says.
 *
 * Each answer was made a moment before it arrives, so of what the last ones said the latest is the
 * nearest. An answer that was kept by a proxy says itself what time it is now.
 */
const SAMPLES = 8;
let offsets = [];

/** Learns from an answer of the API. */
export function hear({ headers, data }) {
  const kept = Number(headers["x-server-time"] ?? NaN) * 1000;
  const said = Number.isFinite(kept) ? kept : Date.parse(data?.server_time ?? "");
  if (Number.isFinite(said)) offsets = [...offsets, said - Date.now()].slice(-SAMPLES);
}

/** Milliseconds since 1970. */
export function now() {
  return Date.now() + (offsets.length ? Math.max(...offsets) : 0);
}

/** Whole seconds until a moment (RFC 3339), rounded up; 0 when it is past. */
export function secondsUntil(moment) {
  return Math.max(0, Math.ceil((Date.parse(moment) - now()) / 1000));
}

/** "2:03", "26:01:15". */
export function shownSeconds(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = two(seconds % 60);
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}
