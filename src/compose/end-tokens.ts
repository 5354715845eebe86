import type { ModelFolder } from '../adapters/model-folder/read-model-folder.js';
import type { Tokenizer } from '../ports/tokenizer.js';

export const endOfText = '<|endoftext|>';

export interface EndTokens {
  /** Id of `<|endoftext|>`; null when the tokenizer has none, or there is no tokenizer. */
  readonly end: number | null;
  /** Ids that the configs name and that may be the end. */
  readonly trusted: readonly number[];
  /** Ids that the configs name although they stand for ordinary marks such as `>>ABSTRACT<<`, or for nothing. */
  readonly distrusted: readonly number[];
}

/** RefinedWeb configs were published with the default ids 1 and 2, which are marks of the vocabulary. */
export function endTokens({ endIds, shape }: ModelFolder, tokenizer: Tokenizer): EndTokens {
  const isToken = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < shape.vocabSize;
  const isMark = (id: number): boolean => /^>>[A-Z]+<<$/.test(Buffer.from(tokenizer.tokenBytes(id)).toString('latin1'));
  const named = [...new Set([...endIds.config, ...endIds.generation])];
  const trusted = named.filter((id) => isToken(id) && !isMark(id));
  return { end: tokenizer.idOf(endOfText), trusted, distrusted: named.filter((id) => !trusted.includes(id)) };
}
