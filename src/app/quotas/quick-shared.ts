import { bounds } from '../../domain/bounds.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import type { SharedState } from '../../ports/shared-state.js';
import type { Clock } from '../../ports/clock.js';
import type { Log } from '../../ports/log.js';

export interface SharedWorld {
  readonly shared: SharedState;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Asks what the processes share, on behalf of requests: none waits long for it. After a call that failed or was late the shared
 * state is left alone for a while; then one call tries it again while the others go on without. Who gets no answer counts for this
 * process alone.
 */
export class QuickShared {
  readonly #world: SharedWorld;
  #away = false;
  /** By the monotonic clock. */
  #restUntilMs = -Infinity;

  constructor(world: SharedWorld) {
    this.#world = world;
  }

  /** The answer, or null while the shared state is away. */
  async ask<T extends object>(step: (shared: SharedState) => Promise<T>): Promise<T | null> {
    const { shared, clock, log } = this.#world;
    if (clock.monotonic() < this.#restUntilMs) return null;
    if (this.#away) this.#rest();
    try {
      const answer = await this.#inTime(step(shared));
      if (this.#away) log.info('shared.back');
      this.#away = false;
      this.#restUntilMs = -Infinity;
      return answer;
    } catch (error) {
      if (errorCode(error) !== 'queue_unavailable') throw error;
      if (!this.#away) log.warn('shared.away', { code: errorCode(error) });
      this.#away = true;
      this.#rest();
      return null;
    }
  }

  #rest(): void {
    this.#restUntilMs = this.#world.clock.monotonic() + bounds.sharedRestMs;
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const answered = new AbortController();
    const late = this.#world.clock.sleep(bounds.sharedAnswerMs, answered.signal).then((): never => {
      throw new EyrieError('queue_unavailable', `No answer within ${bounds.sharedAnswerMs} ms.`);
    });
    // Whichever of the two comes second is not waited for.
    late.catch(() => undefined);
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      // With a reason: without one, an error with its stack is made for each request.
      answered.abort('answered');
    }
  }
}
