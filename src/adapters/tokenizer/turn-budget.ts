import { AlternatingQueue } from '../../domain/alternating-queue.js';

interface Work {
  /** What it has taken. */
  readonly steps: number;
}

/**
 * How much is done in one turn of the event loop by all who share it. What finds it spent waits for another turn; works of different
 * tenants alternate there.
 */
export class TurnBudget {
  readonly #steps: number;
  readonly #waiting = new AlternatingQueue<() => void>();
  #left: number;
  #isRenewing = false;

  constructor(steps: number) {
    this.#steps = steps;
    this.#left = steps;
  }

  /** Does the work: at once where the turn has something left and nothing waits. */
  run<T extends Work>(tenant: string, work: () => T): Promise<T> {
    if (this.#left > 0 && this.#waiting.isEmpty) return this.#do(work);
    return new Promise((resolve) => this.#waiting.push(tenant, () => resolve(this.#do(work))));
  }

  /** The work itself is done before this returns. */
  async #do<T extends Work>(work: () => T): Promise<T> {
    const done = work();
    this.#left -= done.steps;
    if (!this.#isRenewing) {
      this.#isRenewing = true;
      setImmediate(() => this.#renew());
    }
    return done;
  }

  #renew(): void {
    this.#isRenewing = false;
    this.#left = this.#steps;
    while (this.#left > 0) {
      const begin = this.#waiting.shift();
      if (!begin) return;
      begin();
    }
  }
}
