/**
 * Bytes, and the two functions that a draw is made of, as docs/draw.md writes them.
 *
 * WebCrypto does the hashing, so a page needs HTTPS or localhost; whoever has none gives its own
 * `subtle`.
 */
const ascii = new TextEncoder();

export function bytesOf(text) {
  return ascii.encode(text);
}

export function fromHex(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An unsigned integer of so many bytes, the most significant first. */
export function unsigned(value, size) {
  const bytes = new Uint8Array(size);
  let rest = BigInt(value);
  for (let at = size - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** The u64 at this place. */
export function word(bytes, at) {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getBigUint64(0);
}

export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

/** A function of messages, for one key. */
export async function hmac(key) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return async (...parts) =>
    new Uint8Array(await crypto.subtle.sign("HMAC", imported, joined(...parts)));
}
