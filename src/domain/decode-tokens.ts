const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** Bytes as text; what is no UTF-8 becomes U+FFFD. */
export const decodeText = (bytes: Uint8Array): string => lossy.decode(bytes);

/**
 * A token as text. A token that is no valid UTF-8 by itself is written `bytes:\xe2\x80`, so that different tokens never share a
 * name (OpenAI's legacy form).
 */
export function tokenText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** Characters that begin in these bytes. */
export const charactersIn = (bytes: Uint8Array): number =>
  bytes.reduce((count, byte) => (isContinuation(byte) ? count : count + 1), 0);

/**
 * Offset of each token in the text of all, in Unicode code points, none beyond `codePointsMax`. Tokens that share a character
 * share its offset. `charactersBefore`: those of the tokens that stand before these.
 */
export function textOffsets(tokens: readonly Uint8Array[], codePointsMax: number, charactersBefore = 0): number[] {
  let characters = charactersBefore;
  return tokens.map((bytes) => {
    const [first] = bytes;
    const offset = first !== undefined && isContinuation(first) && characters > 0 ? characters - 1 : characters;
    characters += charactersIn(bytes);
    return Math.min(offset, codePointsMax);
  });
}
