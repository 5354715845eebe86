import type { Clock } from '../../src/ports/clock.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Lets everything that waits for a resolved promise go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock that stands still until it is advanced. Sleepers wake in order of time, then of their call. */
export class FakeClock implements Clock {
  /** Ends when nothing goes on any more without the clock. Fakes do what they do at once; real stores take longer. */
  quiet = settle;
  #now: number;
  #skew = 0;
  readonly #start: number;
  #sleepers: Sleeper[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs;
    this.#start = startMs;
  }

  now(): number {
    return this.#now + this.#skew;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  turn(): Promise<void> {
    return settle();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { at: this.#now + Math.max(0, ms), wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', wake);
    });
  }

  /** Sets the wall clock forward or back without time passing. */
  jump(ms: number): void {
    this.#skew += ms;
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.quiet();
    while (await this.#wakeNext(end));
    this.#now = end;
  }

  /** Advances from sleeper to sleeper until the condition holds. Fails when nobody sleeps, or after `budgetMs` of fake time. */
  async until(what: string, condition: () => boolean | Promise<boolean>, budgetMs = 7 * 24 * 3_600_000): Promise<void> {
    const end = this.#now + budgetMs;
    await this.quiet();
    while (!(await condition()))
      if (!(await this.#wakeNext(end))) throw new Error(`Nothing is left to wait for: ${what}`);
  }

  async #wakeNext(end: number): Promise<boolean> {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!first || sleeper.at < first.at) first = sleeper;
    if (!first || first.at > end) return false;
    this.#now = Math.max(this.#now, first.at);
    first.wake();
    await this.quiet();
    return true;
  }
}
