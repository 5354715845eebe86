import type { Grammar } from '../domain/grammar.js';

export interface Grammars {
  /**
   * Whether answers can be held to this grammar. Rejects with `invalid_request`, whose message says what is wrong with it, or with
   * `unsupported_device` where there are no grammars: a build without them, a checkpoint without a tokenizer.
   */
  check(grammar: Grammar): Promise<void>;
}

/** Grammars of one process, for all tenants. */
export interface GrammarCompiler {
  /** Whether `check` is done without work: it was compiled, or found wrong, and is kept. */
  isKept(grammar: Grammar): boolean;
  /** As `Grammars.check`; what is kept is kept for this tenant. */
  check(grammar: Grammar, tenant: string): Promise<void>;
}
