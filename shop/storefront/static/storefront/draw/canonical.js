/**
 * Canonical JSON of docs/draw.md: one text for one value.
 */
export function canonicalJson(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort();
  const written = members.map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`);
  return `{${written.join(",")}}`;
}
