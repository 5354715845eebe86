import { EyrieError } from '../../domain/errors.js';

/** The bytes of all tokens behind one another; token `id` ends before `ends[id]` and starts where the one before it ends. */
export interface TokenTable {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

const prints = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

/**
 * Byte-level BPE writes each byte as one printable character: those of Latin-1 that print stand for themselves, the other 68
 * bytes are, in order, the characters from U+0100 on.
 */
function byteCharacters(): string[] {
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(prints(byte) ? byte : 0x100 + others++));
}

const characters = byteCharacters();
const alphabet: ReadonlyMap<string, number> = new Map(characters.map((character, byte) => [character, byte]));

/** A text as the vocabulary writes it. */
export const toVocabularyForm = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => characters[byte]).join('');

function toBytes(token: string): Uint8Array {
  const bytes = Array.from(token, (character) => alphabet.get(character) ?? -1);
  if (bytes.includes(-1))
    throw new EyrieError(
      'model_invalid',
      `tokenizer.json is not byte-level BPE: its token ${JSON.stringify(token.slice(0, 40))} holds a character that stands for no byte.`,
    );
  return Uint8Array.from(bytes);
}

/**
 * The bytes of each id below `vocabSize`. Added tokens stand for their text; an id without a token (a padded vocabulary) stands
 * for nothing. Throws `model_invalid`.
 */
export function buildTokenTable(
  vocab: Readonly<Record<string, number>>,
  added: ReadonlyMap<number, string>,
  vocabSize: number,
): TokenTable {
  const tokens = Array.from<Uint8Array | undefined>({ length: vocabSize });
  for (const [token, id] of Object.entries(vocab)) if (!added.has(id)) tokens[id] = toBytes(token);
  for (const [id, content] of added) tokens[id] = new TextEncoder().encode(content);
  const ends = new Uint32Array(vocabSize);
  let end = 0;
  tokens.forEach((token, id) => {
    end += token?.length ?? 0;
    ends[id] = end;
  });
  const bytes = new Uint8Array(end);
  tokens.forEach((token, id) => {
    if (token) bytes.set(token, (ends[id] ?? 0) - token.length);
  });
  return { bytes, ends };
}
