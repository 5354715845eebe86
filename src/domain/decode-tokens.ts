const lossy = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** Bytes as text; what is no UTF-8 becomes U+FFFD. */
export const decodeText = (bytes: Uint8Array): string => lossy.decode(bytes);

/**
 * A token as text, the same for no two tokens of a model. One that is no valid UTF-8 by itself is written `bytes:\xe2\x80` (OpenAI's
 * legacy form); one without bytes, of a vocabulary larger than the tokenizer or without any, is written `token_id:123`.
 */
export function tokenText(bytes: Uint8Array, id: number): string {
  if (bytes.length === 0) return `token_id:${id}`;
  try {
    return strict.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}

/**
 * Follows the bytes of a text as `decodeText` does, where each malformed sequence becomes one U+FFFD, and tells which code point
 * each byte belongs to.
 */
class CodePointCounter {
  #ended = 0;
  /** Continuation bytes that the character begun still lacks, and what the next of them may be. */
  #missing = 0;
  #min = 0x80;
  #max = 0xbf;

  /** The index of the code point that the next byte, `byte`, belongs to. */
  take(byte: number): number {
    if (this.#missing > 0) {
      if (byte >= this.#min && byte <= this.#max) return this.#continue();
      this.#missing = 0;
      this.#ended++;
    }
    [this.#missing, this.#min, this.#max] = afterLead(byte);
    return this.#missing > 0 ? this.#ended : this.#ended++;
  }

  /** The index of the code point that a token without bytes would stand at. */
  get index(): number {
    return this.#ended;
  }

  #continue(): number {
    [this.#missing, this.#min, this.#max] = [this.#missing - 1, 0x80, 0xbf];
    return this.#missing > 0 ? this.#ended : this.#ended++;
  }
}

/** How many bytes follow this one in a character, and the range of the next: narrower where longer forms and surrogates would begin. */
function afterLead(byte: number): readonly [missing: number, min: number, max: number] {
  if (byte >= 0xc2 && byte <= 0xdf) return [1, 0x80, 0xbf];
  if (byte >= 0xe0 && byte <= 0xef) return [2, byte === 0xe0 ? 0xa0 : 0x80, byte === 0xed ? 0x9f : 0xbf];
  if (byte >= 0xf0 && byte <= 0xf4) return [3, byte === 0xf0 ? 0x90 : 0x80, byte === 0xf4 ? 0x8f : 0xbf];
  return [0, 0x80, 0xbf];
}

/**
 * Offsets of tokens in the text that `decodeText` makes of all their bytes, in Unicode code points. Tokens that share a character
 * share its offset. Keeps its place, for tokens that come bit by bit.
 */
export class TextOffsets {
  readonly #counter = new CodePointCounter();

  /** The offsets of the next tokens, none beyond `codePointsMax`. */
  next(tokens: readonly Uint8Array[], codePointsMax: number): number[] {
    return tokens.map((bytes) => {
      let offset = this.#counter.index;
      bytes.forEach((byte, at) => {
        const index = this.#counter.take(byte);
        if (at === 0) offset = index;
      });
      return Math.min(offset, codePointsMax);
    });
  }
}
