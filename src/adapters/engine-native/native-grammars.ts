import { bounds } from '../../domain/bounds.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import type { Grammar } from '../../domain/grammar.js';
import type { Grammars } from '../../ports/grammars.js';
import { fromNative } from './from-native.js';
import { loadAddon } from './load-addon.js';
import type { NativeGrammar, NativeGrammarOptions, NativeGrammars as NativeCompiler } from './native-types.js';

const keyOf = ({ kind, text, leadingSpace }: Grammar): string => `${kind} ${leadingSpace} ${text}`;

/**
 * Compiles grammars for one vocabulary, off the main thread, one at a time so that the other threads of Node's pool stay free. Lines of
 * a batch tend to share a schema, so the latest ones are kept, compiled or refused. Nothing is loaded before the first grammar.
 */
export class NativeGrammars implements Grammars {
  readonly #options: NativeGrammarOptions | null;
  /** Oldest use first. */
  readonly #kept = new Map<string, Promise<NativeGrammar>>();
  #compiler: Promise<NativeCompiler> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** `options` null: the checkpoint has no tokenizer. */
  constructor(options: NativeGrammarOptions | null) {
    this.#options = options;
  }

  async check(grammar: Grammar): Promise<void> {
    await this.compiled(grammar);
  }

  /** Rejects as `check` does. */
  compiled(grammar: Grammar): Promise<NativeGrammar> {
    const key = keyOf(grammar);
    const compiled = this.#kept.get(key) ?? this.#inTurn(grammar);
    this.#kept.delete(key);
    this.#kept.set(key, compiled);
    // What is wrong with a grammar stays wrong; other failures may pass.
    compiled.catch((error: unknown) => {
      if (errorCode(error) !== 'invalid_request' && this.#kept.get(key) === compiled) this.#kept.delete(key);
    });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= bounds.grammarsKept) break;
      this.#kept.delete(oldest);
    }
    return compiled;
  }

  #inTurn(grammar: Grammar): Promise<NativeGrammar> {
    const compiled = this.#last.then(() => this.#compile(grammar));
    this.#last = compiled.catch(() => undefined);
    return compiled;
  }

  async #compile(grammar: Grammar): Promise<NativeGrammar> {
    try {
      return await (await this.#open()).compile(grammar);
    } catch (error) {
      throw fromNative(error);
    }
  }

  #open(): Promise<NativeCompiler> {
    if (this.#options === null)
      throw new EyrieError('unsupported_device', 'this checkpoint has no tokenizer.json, which grammars need');
    this.#compiler ??= loadAddon().openGrammars(this.#options);
    return this.#compiler;
  }
}
