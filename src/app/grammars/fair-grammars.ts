import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { Grammar } from '../../domain/grammar.js';
import type { GrammarCompiler, Grammars } from '../../ports/grammars.js';
import type { ShareState } from '../../ports/share-state.js';
import type { Tenants } from '../../ports/tenants.js';
import { FairShare } from '../fair/fair-share.js';

/** Compiling takes up to some tenths of a second and a thread: its places are shared out among tenants. */
export class FairGrammars {
  readonly #compiler: GrammarCompiler;
  readonly #share: FairShare;

  constructor(compiler: GrammarCompiler, tenants: Pick<Tenants, 'weight'>) {
    this.#compiler = compiler;
    this.#share = new FairShare({
      places: bounds.grammarCompilesMax,
      // One stays for others: a compile takes up to some tenths of a second.
      placesPerTenant: Math.max(1, bounds.grammarCompilesMax - 1),
      waitingPerTenant: bounds.grammarsWaitingMax,
      tenants,
      refusal: () =>
        new EyrieError(
          'rate_limit_exceeded',
          `${bounds.grammarsWaitingMax} of your grammars wait to be compiled, as many as are allowed. Try again in a second; a grammar that was compiled before is not compiled again.`,
          { bound: 'grammarsWaitingMax' },
        ),
    });
  }

  /** For a call that waits for its answer: refused with `rate_limit_exceeded` when too many of the tenant's wait already. */
  ofCall(tenant: string, signal: AbortSignal): Grammars {
    return { check: (grammar) => this.#check(grammar, tenant, signal) };
  }

  /** For the lines of a file, which wait for each other: one of them compiles at a time, so that none is refused. */
  ofFile(tenant: string): Grammars {
    let last: Promise<unknown> = Promise.resolve();
    return {
      check: (grammar) => {
        if (this.#compiler.isKept(grammar)) return this.#compiler.check(grammar, tenant);
        const checked = last.then(() => this.#check(grammar, tenant));
        last = checked.catch(() => undefined);
        return checked;
      },
    };
  }

  state(): ShareState {
    return this.#share.state();
  }

  async #check(grammar: Grammar, tenant: string, signal?: AbortSignal): Promise<void> {
    if (this.#compiler.isKept(grammar)) return this.#compiler.check(grammar, tenant);
    await this.#share.run(tenant, () => this.#compiler.check(grammar, tenant), {
      cost: 1 + grammar.text.length / 1024,
      ...(signal ? { signal } : {}),
    });
  }
}
