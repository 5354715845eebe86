import { EyrieError } from '../../domain/errors.js';
import type { ServedModel } from '../../domain/served-model.js';
import type { Tokenizer } from '../../ports/tokenizer.js';

export interface PromptText {
  readonly text: string;
  /** `parse`: texts such as `<|endoftext|>` become special tokens. */
  readonly special: 'parse' | 'text';
  /** The oldest tokens may be dropped so that prompt and completion fit the context. */
  readonly truncate: boolean;
  /** The field that an error names. */
  readonly param: string;
}

/** A piece is tokenized first whose tokens would be of so many bytes: fewer than those of plain text. */
const pieceTokenBytes = 8;
/** Tokens at the cut edge of a piece that may be others than those of the whole text: a word of so many is none. */
const edgeTokens = 64;

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** The first or the last characters of a text, no character cut in two. */
function pieceOf(text: string, chars: number, fromEnd: boolean): string {
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
 * context by far no more is tokenized than shows it: pieces of growing size, up to the most bytes that the context can hold. Of
 * one that may be cut only its end is read.
 */
export async function encodePrompt(prompt: PromptText, model: ServedModel, tokenizer: Tokenizer): Promise<Uint32Array> {
  const { text, special, truncate } = prompt;
  const enough = model.contextTokens + edgeTokens;
  for (let chars = enough * pieceTokenBytes; chars < text.length; chars *= 2) {
    const ids = await tokenizer.encode(pieceOf(text, chars, truncate), special);
    if (ids.length < enough && chars < enough * tokenizer.tokenBytesMax) continue;
    if (!truncate) throw tooLong(model, prompt);
    return ids;
  }
  const ids = await tokenizer.encode(text, special);
  return ids.length > 0 ? ids : Uint32Array.of(model.endTokenId);
}
