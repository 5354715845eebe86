/** A text has more tokens than were asked for. */
export class TooManyTokens extends Error {
  readonly tokens: number;

  constructor(tokens: number) {
    super(`The text has ${tokens} tokens.`);
    this.tokens = tokens;
  }
}

export interface EncodeOptions {
  /** Whose text it is: those of different tenants alternate where they have to wait. */
  readonly tenant?: string;
  /** Rejects with `TooManyTokens` for a text of more, before a list of them is made. */
  readonly tokensMax?: number;
}

export interface Tokenizer {
  readonly vocabSize: number;
  /** Of any token: no text of n tokens has more than n times as many bytes, those of unknown characters aside. */
  readonly tokenBytesMax: number;
  /**
   * Ids of a text; nothing is put before or behind it. `parse`: texts such as `<|endoftext|>` become special tokens; `text`: they
   * are encoded as plain text.
   */
  encode(text: string, specialTokens: 'parse' | 'text', options?: EncodeOptions): Promise<Uint32Array>;
  /** The bytes a token stands for; any id below the vocabulary size. Not always whole UTF-8 characters. */
  tokenBytes(id: number): Uint8Array;
  /** Id of a token by its exact text, e.g. `<|endoftext|>`; null when the vocabulary has none. */
  idOf(token: string): number | null;
}
