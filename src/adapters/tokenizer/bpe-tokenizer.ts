import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { TooManyTokens, type EncodeOptions, type Tokenizer } from '../../ports/tokenizer.js';
import { FalconWords, stepsMax } from './falcon-words.js';
import { LibraryTurns } from './library-turns.js';
import { buildTokenTable, toVocabularyForm, type TokenTable } from './token-table.js';
import { parseTokenizerFile } from './tokenizer-file.js';
import { TurnBudget } from './turn-budget.js';

function toNative(file: unknown, source: string): NativeTokenizer {
  try {
    return NativeTokenizer.fromString(JSON.stringify(file));
  } catch (cause) {
    throw new EyrieError('model_invalid', `${source} cannot be used as a tokenizer: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

/**
 * A tokenizer.json of the Falcon kind. Two tokenizers are made of it: one that knows the special tokens, and one that does not,
 * for texts of users who must not be able to write them. A byte that the vocabulary lacks is dropped, as every library does: the
 * published Falcon vocabulary has no token for 14 control characters and for the lead byte of the planes U+80000 to U+BFFFF.
 */
export class BpeTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly tokenBytesMax: number;
  readonly #parsing: NativeTokenizer;
  readonly #plain: NativeTokenizer;
  readonly #table: TokenTable;
  readonly #parsingWords: FalconWords | null;
  readonly #plainWords: FalconWords | null;
  readonly #special: Uint32Array;
  /** Of all texts, whoever they are of: many prompts one after the other, or side by side, leave turns to others. */
  readonly #budget = new TurnBudget(stepsMax);
  readonly #libraryTurns = new LibraryTurns(bounds.libraryEncodesMax);

  private constructor(json: string, modelVocabSize: number | null, source: string) {
    const parsed = parseTokenizerFile(json, source, modelVocabSize);
    const added = new Map(parsed.added_tokens.map(({ id, content }) => [id, content]));
    let idMax = -1;
    for (const id of Object.values(parsed.model.vocab)) idMax = Math.max(idMax, id);
    for (const id of added.keys()) idMax = Math.max(idMax, id);
    this.vocabSize = modelVocabSize ?? idMax + 1;
    if (idMax >= this.vocabSize)
      throw new EyrieError(
        'model_invalid',
        `${source} has a token with id ${idMax}, but the model knows ids below ${this.vocabSize} only. The tokenizer belongs to another model.`,
      );
    this.#table = buildTokenTable(parsed.model.vocab, added, this.vocabSize);
    this.tokenBytesMax = this.#table.ends.reduce((most, end, id, ends) => Math.max(most, end - (ends[id - 1] ?? 0)), 1);
    this.#special = Uint32Array.from(parsed.added_tokens.flatMap(({ id, special }) => (special ? [id] : [])));
    // Cutting and padding are the caller's: a tokenizer saved with them on would change prompts silently.
    // Nor is a decoder asked for: ids become bytes by the table.
    const file = { ...parsed, truncation: null, padding: null, decoder: null };
    this.#parsing = toNative(file, source);
    const plainFile = { ...file, added_tokens: parsed.added_tokens.filter(({ special }) => !special) };
    this.#plain = toNative(plainFile, source);
    this.#parsingWords = FalconWords.of(file);
    this.#plainWords = FalconWords.of(plainFile);
  }

  /**
   * From the text of a tokenizer.json. `vocabSize` is the model's, which may be more than the tokenizer has (null: as many as it
   * has); messages call the text `source`. Throws `model_invalid`.
   */
  static fromJson(json: string, vocabSize: number | null = null, source = 'tokenizer.json'): BpeTokenizer {
    return new BpeTokenizer(json, vocabSize, source);
  }

  async encode(
    text: string,
    specialTokens: 'parse' | 'text',
    { tenant = '', tokensMax = Infinity }: EncodeOptions = {},
  ): Promise<Uint32Array> {
    const [tokenizer, words] =
      specialTokens === 'parse' ? [this.#parsing, this.#parsingWords] : [this.#plain, this.#plainWords];
    if (words) {
      const { ids } = await this.#budget.run(tenant, () => ({ ids: words.encode(text), steps: words.steps }));
      if (ids && ids.length > tokensMax) throw new TooManyTokens(ids.length);
      if (ids) return ids;
    }
    const encoding = await this.#libraryTurns.run(tenant, () =>
      tokenizer.encode(text, null, { addSpecialTokens: false }),
    );
    // The list of ids is made in one turn, 0.1 µs each.
    const tokens = encoding.getLength();
    if (tokens > tokensMax) throw new TooManyTokens(tokens);
    return Uint32Array.from(encoding.getIds());
  }

  tokenBytes(id: number): Uint8Array {
    const end = this.#table.ends[id];
    if (end === undefined)
      throw new EyrieError('invalid_value', `Invalid token id ${id}: 0 to ${this.vocabSize - 1} is allowed.`);
    return this.#table.bytes.subarray(id === 0 ? 0 : this.#table.ends[id - 1], end);
  }

  /** The bytes of all tokens, for the native engine's stop strings. Not to be changed. */
  tokenTable(): TokenTable {
    return this.#table;
  }

  /** Ids of the special tokens. */
  specialTokenIds(): Uint32Array {
    return this.#special;
  }

  idOf(token: string): number | null {
    return this.#parsing.tokenToId(token) ?? this.#parsing.tokenToId(toVocabularyForm(token));
  }
}
