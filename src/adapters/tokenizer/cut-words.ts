/** ASCII that prints, and the white space that texts are made of. */
const plainText = /^[\t\n\r -~]*$/;

export const isPlain = (text: string): boolean => plainText.test(text);

const white = 1;
const letter = 2;
const digit = 3;
const punctuation = 4;
type Kind = typeof white | typeof letter | typeof digit | typeof punctuation;

const space = 0x20;

function kindOf(code: number): Kind {
  const character = String.fromCharCode(code);
  if (/[A-Za-z]/.test(character)) return letter;
  if (/[0-9]/.test(character)) return digit;
  return /[!-~]/.test(character) ? punctuation : white;
}

const kinds = Uint8Array.from({ length: 128 }, (_, code) => kindOf(code));

function runEnd(text: string, start: number, limit: number, kind: Kind): number {
  let end = start;
  while (end < limit && kinds[text.charCodeAt(end)] === kind) end++;
  return end;
}

/**
 * Where the word that starts at `start` ends, as the pre-tokenizer of the Falcon models cuts plain text: a run of punctuation;
 * letters with the space before them; digits, `digitsMax` from the left at most; and white space, of which the last one goes with
 * what follows it. The stages of the published files (punctuation, GPT-2's pattern, digits) follow one another, so a stage sees
 * the pieces of the one before: that is why a space before digits is a word of its own, and why white space before punctuation
 * stays together.
 */
export function wordEnd(text: string, start: number, digitsMax: number): number {
  const { length } = text;
  const kind = kinds[text.charCodeAt(start)] as Kind;
  if (kind === digit) return runEnd(text, start, Math.min(length, start + digitsMax), digit);
  if (kind !== white) return runEnd(text, start, length, kind);
  if (text.charCodeAt(start) === space) {
    const end = runEnd(text, start + 1, length, letter);
    if (end > start + 1) return end;
  }
  const end = runEnd(text, start + 1, length, white);
  const before = end < length ? kinds[text.charCodeAt(end)] : punctuation;
  return end - start > 1 && before !== punctuation ? end - 1 : end;
}
