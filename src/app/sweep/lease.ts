import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import type { World } from '../world.js';

/**
 * A sweep that one process does for all: whoever holds the lease sweeps, the others do nothing. It is renewed while a sweep goes on,
 * so a long one is not begun by another; one whose holder died is taken over after three pauses between sweeps. While the shared
 * state is away nobody can tell who sweeps: then every process does, which costs reads and harms nothing.
 */
export class Lease {
  readonly #world: Pick<World, 'shared' | 'clock'>;
  readonly #name: string;
  readonly #ms: number;
  #held = false;

  /** `everyMs`: pause between two sweeps. */
  constructor(world: Pick<World, 'shared' | 'clock'>, name: string, everyMs: number) {
    this.#world = world;
    this.#name = name;
    this.#ms = Math.max(3 * everyMs, bounds.sweepLeaseMsMin);
  }

  /** Does the step unless another process is the one to do it. */
  async run(step: () => Promise<unknown>): Promise<void> {
    if (!(await this.#take())) return;
    const done = new AbortController();
    const renewing = this.#renew(done.signal);
    try {
      await step();
    } finally {
      done.abort();
      await renewing;
    }
  }

  /** Another process may go on at once. Never throws. */
  async release(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    await this.#world.shared.lease(this.#name, 1).catch(() => false);
  }

  async #renew(done: AbortSignal): Promise<void> {
    for (;;) {
      await this.#world.clock.sleep(this.#ms / 3, done);
      if (done.aborted) return;
      await this.#take();
    }
  }

  async #take(): Promise<boolean> {
    try {
      this.#held = await this.#world.shared.lease(this.#name, this.#ms);
      return this.#held;
    } catch (error) {
      if (errorCode(error) !== 'queue_unavailable') throw error;
      this.#held = false;
      return true;
    }
  }
}
