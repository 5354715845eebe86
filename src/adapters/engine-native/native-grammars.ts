import { EyrieError, errorCode } from '../../domain/errors.js';
import { grammarKey, grammarMemory, type Grammar } from '../../domain/grammar.js';
import type { GrammarCompiler } from '../../ports/grammars.js';
import { fromNative } from './from-native.js';
import { KeptGrammars } from './kept-grammars.js';
import { loadAddon } from './load-addon.js';
import type { NativeGrammar, NativeGrammarOptions, NativeGrammars as NativeCompiler } from './native-types.js';

/**
 * Compiles grammars for one vocabulary, off the main thread. Who may compile when is shared out by the caller (`FairGrammars`). Lines of
 * a batch tend to share a schema, so the latest ones are kept, compiled or refused; and what was compiled for a line stays for as long as
 * the line has its grammar, so that the engine need not compile it again. Nothing is loaded before the first grammar.
 */
export class NativeGrammars implements GrammarCompiler {
  readonly #options: NativeGrammarOptions | null;
  readonly #kept = new KeptGrammars<Promise<NativeGrammar>>();
  /** By the very object that was checked, kept or not. */
  readonly #checked = new WeakMap<Grammar, Promise<NativeGrammar>>();
  #compiler: Promise<NativeCompiler> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** `options` null: the checkpoint has no tokenizer. */
  constructor(options: NativeGrammarOptions | null) {
    this.#options = options;
  }

  isKept(grammar: Grammar): boolean {
    return this.#kept.has(grammarKey(grammar));
  }

  async check(grammar: Grammar, tenant = ''): Promise<void> {
    const compiled = this.#of(grammar, tenant, () => this.#compile(grammar));
    this.#checked.set(grammar, compiled);
    await compiled;
  }

  /** Of a grammar that was checked: what was compiled then. Any other is compiled now, one at a time. Rejects as `check` does. */
  compiled(grammar: Grammar): Promise<NativeGrammar> {
    return this.#checked.get(grammar) ?? this.#of(grammar, '', () => this.#inTurn(grammar));
  }

  #of(grammar: Grammar, tenant: string, compile: () => Promise<NativeGrammar>): Promise<NativeGrammar> {
    const key = grammarKey(grammar);
    const kept = this.#kept.get(key);
    if (kept) return kept;
    const compiled = compile();
    this.#kept.add(key, tenant, grammarMemory(grammar), compiled);
    // What is wrong with a grammar stays wrong; other failures may pass.
    compiled.catch((error: unknown) => {
      if (errorCode(error) !== 'invalid_request') this.#kept.remove(key, compiled);
    });
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
