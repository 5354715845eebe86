import { EyrieError } from '../../domain/errors.js';
import type { ServedModel } from '../../domain/served-model.js';
import type { Tokenizer } from '../../ports/tokenizer.js';

export interface PromptText {
  readonly text: string;
  /** `parse`: texts such as `<|endoftext|>` become special tokens. */
  readonly special: 'parse' | 'text';
  /** The oldest tokens may be dropped so that prompt and completion fit the context. */
  readonly truncate: boolean;
  /** Whose it is: those of different tenants take turns. */
  readonly tenant: string;
  /** The field that an error names. */
  readonly param: string;
}

/** A piece is tokenized first whose tokens would be of so many bytes: fewer than those of plain text. */
const pieceTokenBytes = 8;
/** Tokens at the cut edge of a piece that may be others than those of the whole text: a word of so many is none. */
const edgeTokens = 64;

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** Bytes of UTF-8 for a unit of UTF-16; a character of two units has four. */
function bytesOf(code: number): number {
  if (code < 0x80) return 1;
  return code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 2 : 3;
}

/** The first or the last characters of a text that are of so many bytes, no character cut in two. */
function pieceOf(text: string, bytes: number, fromEnd: boolean): string {
  if (3 * text.length <= bytes) return text;
  let chars = 0;
  for (let left = bytes; chars < text.length; chars++) {
    left -= bytesOf(text.charCodeAt(fromEnd ? text.length - 1 - chars : chars));
    if (left < 0) break;
  }
  if (chars === text.length) return text;
  if (!fromEnd) return isLowSurrogate(text.charCodeAt(chars)) ? text.slice(0, chars - 1) : text.slice(0, chars);
  const start = text.length - chars;
  return text.slice(isLowSurrogate(text.charCodeAt(start)) ? start + 1 : start);
}

function tooLong({ contextTokens }: ServedModel, { text, param }: PromptText): EyrieError {
  return new EyrieError(
    'context_length_exceeded',
    `This model's maximum context length is ${contextTokens} tokens, but the prompt of ${text.length} characters has more. Shorten the prompt.`,
    { param },
  );
}

/**
 * Ids of a prompt. Tokenizing takes a microsecond a character where the text is strange, so of a text that is longer than the
 * context by far no more is tokenized than shows it: pieces of growing size, up to the most bytes that the context can hold. They
 * are counted in bytes, of which each may be a token. Of a text that may be cut only its end is read.
 */
export async function encodePrompt(prompt: PromptText, model: ServedModel, tokenizer: Tokenizer): Promise<Uint32Array> {
  const { text, special, truncate, tenant } = prompt;
  const enough = model.contextTokens + edgeTokens;
  const most = enough * tokenizer.tokenBytesMax;
  for (let bytes = enough * pieceTokenBytes; ; bytes = Math.min(2 * bytes, most)) {
    const piece = pieceOf(text, bytes, truncate);
    const ids = await tokenizer.encode(piece, special, { tenant });
    if (piece.length === text.length) return ids.length > 0 ? ids : Uint32Array.of(model.endTokenId);
    if (ids.length < enough && bytes < most) continue;
    if (!truncate) throw tooLong(model, prompt);
    return ids;
  }
}
