import { createHash } from 'node:crypto';
import type { BatchError } from '../../contract/batch-object.js';
import { bounds } from '../../domain/bounds.js';
import { grammarKey, type Grammar } from '../../domain/grammar.js';
import type { Grammars } from '../../ports/grammars.js';

/** A batch has more different grammars than may be compiled for one. */
export class TooManyGrammars extends Error {
  constructor() {
    super(
      `The file has more than ${bounds.grammarsPerBatchMax} different grammars (JSON schemas, regular expressions, choices). Use the same one in several lines, or split the file into several batches.`,
    );
  }

  asBatchError(): BatchError {
    return { code: 'invalid_request', message: this.message, param: null, line: null };
  }
}

/**
 * Counts the different grammars of a batch, whatever comes of them, so that what is said of a file depends on the file alone. Rejects
 * with `TooManyGrammars` after the last that is allowed.
 */
export class CountedGrammars implements Grammars {
  readonly #grammars: Grammars;
  readonly #seen = new Set<string>();

  constructor(grammars: Grammars) {
    this.#grammars = grammars;
  }

  async check(grammar: Grammar): Promise<void> {
    this.#seen.add(createHash('sha256').update(grammarKey(grammar)).digest('base64'));
    if (this.#seen.size > bounds.grammarsPerBatchMax) throw new TooManyGrammars();
    await this.#grammars.check(grammar);
  }
}
