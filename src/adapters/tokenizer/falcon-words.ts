import { BytePairMerges } from './byte-pair-merges.js';
import { isPlain, wordEnd } from './cut-words.js';
import { toVocabularyForm } from './token-table.js';
import type { TokenizerFile } from './tokenizer-file.js';
import { WordTable } from './word-table.js';

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

/** How many digits make a word at most; null for a tokenizer that cuts in another way. */
function digitsMaxOf({
  normalizer,
  pre_tokenizer: preTokenizer,
  post_processor: postProcessor,
}: TokenizerFile): 1 | 3 | null {
  if (normalizer != null || postProcessor != null) return null;
  const stages = JSON.stringify(preTokenizer);
  const is = (pretokenizers: object[]): boolean => stages === JSON.stringify({ type: 'Sequence', pretokenizers });
  if (is(oneDigit)) return 1;
  return is(threeDigits) ? 3 : null;
}

/** Words remembered; some 40 bytes each. */
const wordsMax = 50_000;
const wordCharsMax = 64;
/**
 * What a text may take here, some 5 ms; one that takes more goes to the library, which works beside the event loop. A step is 20 to
 * 60 ns: a character of the text, or a pair of characters that is looked at to merge a word not seen before.
 */
export const stepsMax = 100_000;
/** Each word beside its pairs. */
const wordSteps = 4;

/**
 * A short way for plain text: most prompts are ASCII whose words were seen before, and the library takes 30 µs for the shortest
 * one. Byte-pair encoding never looks across words, so the ids of a text are those of its words behind one another. Only how
 * Falcon's own files cut ASCII into words is known here; whatever is not plainly that goes to the library, and a test holds the
 * two against each other.
 */
export class FalconWords {
  readonly #digitsMax: number;
  readonly #merges: BytePairMerges;
  /** Texts that are tokens as a whole, which only the library looks for. */
  readonly #added: readonly string[];
  #known = new WordTable(wordsMax);
  /** Where the ids of a text are gathered. */
  #room = new Uint32Array(1024);
  #steps = 0;

  private constructor(digitsMax: number, merges: BytePairMerges, added: readonly string[]) {
    this.#digitsMax = digitsMax;
    this.#merges = merges;
    this.#added = added;
  }

  /** Null for a tokenizer that works in another way. */
  static of(file: TokenizerFile): FalconWords | null {
    const digitsMax = digitsMaxOf(file);
    const merges = digitsMax && BytePairMerges.of(file);
    return (
      merges &&
      new FalconWords(
        digitsMax,
        merges,
        file.added_tokens.map(({ content }) => content),
      )
    );
  }

  /** What the last text has taken. */
  get steps(): number {
    return this.#steps;
  }

  /** The ids of a text, or null when it is one for the library. */
  encode(text: string): Uint32Array | null {
    this.#steps = 0;
    if (text.length > stepsMax || !isPlain(text) || this.#added.some((token) => text.includes(token))) return null;
    // No token is shorter than a character.
    if (this.#room.length < text.length) this.#room = new Uint32Array(text.length);
    const room = this.#room;
    let count = 0;
    this.#steps = text.length;
    for (let start = 0, end = 0; start < text.length; start = end) {
      end = wordEnd(text, start, this.#digitsMax);
      const word = this.#known.find(text, start, end);
      if (word >= 0) count = this.#known.copyIds(word, room, count);
      else {
        const ids = this.#learn(text.slice(start, end));
        if (!ids) return null;
        room.set(ids, count);
        count += ids.length;
      }
    }
    return room.slice(0, count);
  }

  #learn(word: string): readonly number[] | null {
    if (word.length > wordCharsMax) return null;
    this.#steps += word.length ** 2 + wordSteps;
    if (this.#steps > stepsMax) return null;
    const ids = this.#merges.encode(toVocabularyForm(word));
    // Begun anew when it is full: words of one caller that nobody else uses must not keep out all others for good.
    if (this.#known.isFull) this.#known = new WordTable(wordsMax);
    if (ids) this.#known.add(word, ids);
    return ids;
  }
}
