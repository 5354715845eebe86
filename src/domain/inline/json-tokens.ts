const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

const isHex = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

export const isWhite = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Bytes after a backslash: `"`, `\`, `/`, b, f, n, r, t. */
const escapes = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);

/** Where the escape that begins at `at` (its backslash) ends; -1: it is none. */
export function escapeEnd(json: Uint8Array, at: number): number {
  const kind = json[at + 1];
  if (kind !== 0x75) return kind !== undefined && escapes.has(kind) ? at + 2 : -1;
  for (let digit = at + 2; digit < at + 6; digit++) if (!isHex(json[digit])) return -1;
  return at + 6;
}

function digitsEnd(json: Uint8Array, at: number): number {
  let end = at;
  while (isDigit(json[end])) end++;
  return end > at ? end : -1;
}

/** Where the number that begins at `at` ends, as JSON writes numbers; -1: it is none. */
export function numberEnd(json: Uint8Array, at: number): number {
  let end = json[at] === 0x2d ? at + 1 : at;
  end = json[end] === 0x30 ? end + 1 : digitsEnd(json, end);
  if (end > 0 && json[end] === 0x2e) end = digitsEnd(json, end + 1);
  if (end > 0 && (json[end] === 0x65 || json[end] === 0x45)) {
    const sign = json[end + 1] === 0x2b || json[end + 1] === 0x2d ? 1 : 0;
    end = digitsEnd(json, end + 1 + sign);
  }
  return end;
}

/** Where `true`, `false` or `null` that begins at `at` ends; -1: it is none. */
export function literalEnd(json: Uint8Array, at: number): number {
  const isRue = json[at + 1] === 0x72 && json[at + 2] === 0x75 && json[at + 3] === 0x65;
  const isAlse = json[at + 1] === 0x61 && json[at + 2] === 0x6c && json[at + 3] === 0x73 && json[at + 4] === 0x65;
  const isUll = json[at + 1] === 0x75 && json[at + 2] === 0x6c && json[at + 3] === 0x6c;
  const first = json[at];
  if ((first === 0x74 && isRue) || (first === 0x6e && isUll)) return at + 4;
  return first === 0x66 && isAlse ? at + 5 : -1;
}
