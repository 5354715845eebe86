import type { Tokenizer } from '../../src/ports/tokenizer.js';
import { scriptedEndToken } from './scripted-engine.js';

/** One token per byte of UTF-8, and the end token behind them: what the scripted engine speaks. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = scriptedEndToken + 1;
  readonly tokenBytesMax: number = '<|endoftext|>'.length;

  encode(text: string): Promise<Uint32Array> {
    return Promise.resolve(Uint32Array.from(Buffer.from(text)));
  }

  tokenBytes(id: number): Uint8Array {
    return id === scriptedEndToken ? Buffer.from('<|endoftext|>') : Uint8Array.of(id);
  }

  idOf(token: string): number | null {
    return token === '<|endoftext|>' ? scriptedEndToken : null;
  }
}
