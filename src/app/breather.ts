import { bounds } from '../domain/bounds.js';
import type { Clock } from '../ports/clock.js';

/**
 * Cuts long work on an event loop into turns: ask after each piece whether a pause is due, and take it. A piece itself must be
 * bounded, as one line of a batch is.
 */
export class Breather {
  readonly #clock: Pick<Clock, 'monotonic' | 'turn'>;
  #since: number;

  constructor(clock: Pick<Clock, 'monotonic' | 'turn'>) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  get due(): boolean {
    return this.#clock.monotonic() - this.#since >= bounds.turnMs;
  }

  async pause(): Promise<void> {
    await this.#clock.turn();
    this.#since = this.#clock.monotonic();
  }
}

/** `items.map(step)`, with turns for others in between. */
export async function mapInTurns<T, R>(
  clock: Pick<Clock, 'monotonic' | 'turn'>,
  items: readonly T[],
  step: (item: T, at: number) => R,
): Promise<R[]> {
  const breather = new Breather(clock);
  const results: R[] = [];
  for (const [at, item] of items.entries()) {
    if (breather.due) await breather.pause();
    results.push(step(item, at));
  }
  return results;
}
