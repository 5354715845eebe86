import { createHmac } from 'node:crypto';

/** Ids are a prefix and lower-case base32: opaque to users, safe in object keys, job ids and URLs. */
export const idPrefixes = Object.freeze({
  file: 'file-',
  batch: 'batch_',
  event: 'evt_',
  line: 'batch_req_',
  request: 'req_',
  completion: 'cmpl-',
  chat: 'chatcmpl-',
  endpoint: 'we_',
  drop: 'drop_',
  upload: 'upload_',
  part: 'part_',
  call: 'call_',
  key: 'key_',
  report: 'report_',
});
export type IdKind = keyof typeof idPrefixes;

const bodyPattern = /^[a-z0-9]{1,64}$/;

/** Whether a text from outside is an id of this kind; every id is checked before it becomes part of a key. */
export function isId(kind: IdKind, text: string): boolean {
  const prefix = idPrefixes[kind];
  return text.startsWith(prefix) && bodyPattern.test(text.slice(prefix.length));
}

const base32Digits = '0123456789abcdefghjkmnpqrstvwxyz';

/** Crockford base32 in lower case, 5 bits a digit, the last digit padded with zero bits. */
export function toBase32(bytes: Uint8Array): string {
  let digits = '';
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) digits += base32Digits[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits > 0 ? digits + base32Digits[(value << (5 - bits)) & 31] : digits;
}

/**
 * An id that a retry meets again: HMAC-SHA-256 of the parts under the id secret, first 130 bits. Parts are length-prefixed, so
 * that ("a", "bc") and ("ab", "c") differ.
 */
export function derivedId(kind: IdKind, secret: string, ...parts: readonly string[]): string {
  const hmac = createHmac('sha256', secret).update(kind);
  for (const part of parts) hmac.update(`\0${Buffer.byteLength(part)}\0`).update(part);
  return idPrefixes[kind] + toBase32(hmac.digest()).slice(0, 26);
}
