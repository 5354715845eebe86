import { createHash } from 'node:crypto';
import { idPrefixes, toBase32 } from './ids.js';

/**
 * The text of an API key:
 *
 *     ey_ ID _ SECRET CHECK
 *
 * ID is the public id of the key, without its prefix; SECRET is 32 random bytes in base32 (52 digits); CHECK is the first 30 bits
 * of the SHA-256 of all before it (6 digits). Anybody can check it, so a mistyped key is known as such without a look into the
 * store, and a scanner for leaked secrets can tell a key from a text that only looks like one.
 */
const pattern = /^(ey_([0-9a-z]{8,64})_[0-9a-z]{52})([0-9a-z]{6})$/;

const checkDigits = (text: string): string => toBase32(createHash('sha256').update(text).digest()).slice(0, 6);

/** The part of a key that is no secret: it may stand in lists and logs, and tells a leaked key's owner which one to revoke. */
export const apiKeyPrefix = (keyId: string): string => `ey_${keyId.slice(idPrefixes.key.length)}`;

export function toApiKey(keyId: string, secret: Uint8Array): string {
  const text = `${apiKeyPrefix(keyId)}_${toBase32(secret)}`;
  return text + checkDigits(text);
}

/** The id of a key by its text; null when the text is no key of this form, or its check digits are wrong. */
export function keyIdOf(text: string): string | null {
  const [, checked = '', id = '', digits] = pattern.exec(text) ?? [];
  return digits !== undefined && checkDigits(checked) === digits ? idPrefixes.key + id : null;
}

/**
 * How a key is stored. A plain hash will do: slow and salted ones protect secrets that people choose, which can be guessed from a
 * list; 256 random bits cannot, at any speed.
 */
export const apiKeyHash = (text: string): Buffer => createHash('sha256').update(text).digest();
