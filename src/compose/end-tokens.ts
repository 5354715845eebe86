import type { ModelFolder } from '../adapters/model-folder/read-model-folder.js';
import type { Tokenizer } from '../ports/tokenizer.js';

export const endOfText = '<|endoftext|>';

export interface EndTokens {
  /** Id of `<|endoftext|>`; null when the tokenizer has none, or there is neither a tokenizer nor Falcon's vocabulary. */
  readonly end: number | null;
  /** Ids that the configs name and that may be the end. */
  readonly trusted: readonly number[];
  /** Ids that the configs name although they stand for ordinary marks such as `>>ABSTRACT<<`, or for nothing. */
  readonly distrusted: readonly number[];
}

/** Falcon's own vocabulary, which its fine-tunes add to: 0 to 10 are marks such as `>>TITLE<<`, 11 is the end of text. */
const falconVocabulary = { size: 65_024, end: 11 };

/**
 * RefinedWeb configs were published with the default ids 1 and 2, which are marks of the vocabulary. Without a tokenizer.json the size
 * of the vocabulary tells whether they are.
 */
export function endTokens({ endIds, shape, tokenizerJson }: ModelFolder, tokenizer: Tokenizer): EndTokens {
  const isFalcon = tokenizerJson === null && shape.vocabSize >= falconVocabulary.size;
  const isToken = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < shape.vocabSize;
  const isMark = (id: number): boolean =>
    isFalcon
      ? id < falconVocabulary.end
      : /^>>[A-Z]+<<$/.test(Buffer.from(tokenizer.tokenBytes(id)).toString('latin1'));
  const named = [...new Set([...endIds.config, ...endIds.generation])];
  // A config that names none means the default of the falcon form.
  const candidates = named.length === 0 && tokenizerJson === null ? [falconVocabulary.end] : named;
  const trusted = candidates.filter((id) => isToken(id) && !isMark(id));
  return {
    end: isFalcon ? falconVocabulary.end : tokenizer.idOf(endOfText),
    trusted,
    distrusted: named.filter((id) => !trusted.includes(id)),
  };
}
