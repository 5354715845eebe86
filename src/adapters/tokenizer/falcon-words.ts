import { BytePairMerges } from './byte-pair-merges.js';
import { toVocabularyForm } from './token-table.js';
import type { TokenizerFile } from './tokenizer-file.js';

/** ASCII that prints, and the white space that texts are made of. Anything else is for the library. */
const simpleText = /^[\t\n\r -~]*$/;

/**
 * The pre-tokenizer of the Falcon models over such text, as one expression: a run of punctuation; letters with the space before
 * them; digits (alone, or by threes from the left); and white space, of which the last one goes with what follows it. The stages
 * of the published files (punctuation, GPT-2's pattern, digits) follow one another, so a stage sees the pieces of the one
 * before: that is why a space before digits is a piece of its own, and why white space before punctuation stays together.
 */
const wordPattern = (digits: string): RegExp =>
  new RegExp(`[!-/:-@[-\`{-~]+| ?[A-Za-z]+| (?=[0-9])|${digits}|[\\t\\n\\r ]+(?![A-Za-z0-9])|[\\t\\n\\r ]+`, 'g');

const oneDigit = [
  { type: 'Punctuation', behavior: 'Contiguous' },
  { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  { type: 'Digits', individual_digits: true },
];
const threeDigits = [
  ...oneDigit.slice(0, 2),
  { type: 'Digits', individual_digits: false },
  { type: 'Split', pattern: { Regex: '[0-9][0-9][0-9]' }, behavior: 'Isolated', invert: false },
];

function patternOf({ normalizer, pre_tokenizer: preTokenizer, post_processor: postProcessor }: TokenizerFile) {
  if (normalizer != null || postProcessor != null) return null;
  const stages = JSON.stringify(preTokenizer);
  const is = (pretokenizers: object[]): boolean => stages === JSON.stringify({ type: 'Sequence', pretokenizers });
  if (is(oneDigit)) return wordPattern('[0-9]');
  return is(threeDigits) ? wordPattern('[0-9]{1,3}') : null;
}

/** Words remembered; about 200 bytes each. */
const wordsMax = 50_000;
const wordCharsMax = 64;

/**
 * A short way for plain text: most prompts are ASCII whose words were seen before, and the library takes 30 µs for the shortest
 * one. Byte-pair encoding never looks across words, so the ids of a text are those of its words behind one another. Only how
 * Falcon's own files cut ASCII into words is known here; whatever is not plainly that goes to the library, and a test holds the
 * two against each other.
 */
export class FalconWords {
  readonly #pattern: RegExp;
  readonly #merges: BytePairMerges;
  /** Texts that are tokens as a whole, which only the library looks for. */
  readonly #added: readonly string[];
  readonly #known = new Map<string, readonly number[]>();

  private constructor(pattern: RegExp, merges: BytePairMerges, added: readonly string[]) {
    this.#pattern = pattern;
    this.#merges = merges;
    this.#added = added;
  }

  /** Null for a tokenizer that works in another way. */
  static of(file: TokenizerFile): FalconWords | null {
    const pattern = patternOf(file);
    const merges = pattern && BytePairMerges.of(file);
    return (
      merges &&
      new FalconWords(
        pattern,
        merges,
        file.added_tokens.map(({ content }) => content),
      )
    );
  }

  /** The ids of a text, or null when it is one for the library. */
  encode(text: string): Uint32Array | null {
    if (!simpleText.test(text) || this.#added.some((token) => text.includes(token))) return null;
    const ids: number[] = [];
    for (const word of text.match(this.#pattern) ?? []) {
      const wordIds = this.#known.get(word) ?? this.#learn(word);
      if (!wordIds) return null;
      for (const id of wordIds) ids.push(id);
    }
    return Uint32Array.from(ids);
  }

  #learn(word: string): readonly number[] | null {
    if (word.length > wordCharsMax) return null;
    const ids = this.#merges.encode(toVocabularyForm(word));
    if (ids && this.#known.size < wordsMax) this.#known.set(ownCopy(word), ids);
    return ids;
  }
}

/** A piece of a text keeps the whole text in memory; this one does not. */
const ownCopy = (word: string): string => Buffer.from(word, 'latin1').toString('latin1');
