import { EyrieError } from '../../domain/errors.js';
import type { Tokenizer } from '../../ports/tokenizer.js';

const nothing = new Uint8Array(0);

/** Stands in for the tokenizer of a checkpoint that has none: prompts must be token ids, and answers have ids but no text. */
export class NoTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly tokenBytesMax = 1;

  constructor(vocabSize: number) {
    this.vocabSize = vocabSize;
  }

  encode(): Promise<Uint32Array> {
    return Promise.reject(
      new EyrieError(
        'invalid_value',
        'This checkpoint has no tokenizer.json, so a prompt must be an array of token ids. Add the file, or send ids.',
        { param: 'prompt' },
      ),
    );
  }

  tokenBytes(): Uint8Array {
    return nothing;
  }

  idOf(): null {
    return null;
  }
}
