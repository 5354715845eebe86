import { EyrieError } from '../../src/domain/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type { SharedState } from '../../src/ports/shared-state.js';

/** What the views of several processes have in common. */
export class SharedMemory {
  readonly leases = new Map<string, { holder: MemorySharedState; endMs: number }>();
}

/** Shared state in memory, as one process sees it. */
export class MemorySharedState implements SharedState {
  /** Every call throws `queue_unavailable` while set. */
  unavailable = false;
  readonly #clock: Clock;
  readonly #memory: SharedMemory;

  constructor(clock: Clock, memory = new SharedMemory()) {
    this.#clock = clock;
    this.#memory = memory;
  }

  /** Another process beside this one. */
  another(): MemorySharedState {
    return new MemorySharedState(this.#clock, this.#memory);
  }

  lease(name: string, ms: number): Promise<boolean> {
    return this.#call(() => {
      const now = this.#clock.monotonic();
      const held = this.#memory.leases.get(name);
      if (held && held.holder !== this && held.endMs > now) return false;
      this.#memory.leases.set(name, { holder: this, endMs: now + ms });
      return true;
    });
  }

  #call<T>(step: () => T): Promise<T> {
    if (this.unavailable) return Promise.reject(new EyrieError('queue_unavailable', 'The fake queue is away.'));
    return Promise.resolve(step());
  }
}
