import { TooManyTokens, type EncodeOptions, type Tokenizer } from '../../src/ports/tokenizer.js';
import { scriptedEndToken } from './scripted-engine.js';

/** One token per byte of UTF-8, and the end token behind them: what the scripted engine speaks. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = scriptedEndToken + 1;
  readonly tokenBytesMax: number = '<|endoftext|>'.length;

  encode(
    text: string,
    _specialTokens?: 'parse' | 'text',
    { tokensMax = Infinity }: EncodeOptions = {},
  ): Promise<Uint32Array> {
    const bytes = Buffer.from(text);
    if (bytes.length > tokensMax) return Promise.reject(new TooManyTokens(bytes.length));
    return Promise.resolve(Uint32Array.from(bytes));
  }

  tokenBytes(id: number): Uint8Array {
    return id === scriptedEndToken ? Buffer.from('<|endoftext|>') : Uint8Array.of(id);
  }

  idOf(token: string): number | null {
    return token === '<|endoftext|>' ? scriptedEndToken : null;
  }
}
