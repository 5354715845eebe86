import { errorCode } from '../../domain/errors.js';
import type { Job, JobKind } from '../../ports/job-queue.js';
import type { World } from '../world.js';

/**
 * What a sweep puts back into the queue: only jobs that it does not hold. Made anew for each sweep: when the queue is away, that is
 * found once and logged once, and not waited for again by each batch.
 */
export class LostJobs {
  readonly #world: Pick<World, 'queue' | 'log'>;
  #away = false;

  constructor(world: Pick<World, 'queue' | 'log'>) {
    this.#world = world;
  }

  /** The queue could not be asked in this sweep. */
  get away(): boolean {
    return this.#away;
  }

  /** Those of the ids that the queue does not hold; none when it cannot be asked. */
  async among(kind: JobKind, ids: readonly string[]): Promise<string[]> {
    return (await this.#ask(() => this.#world.queue.missing(kind, ids))) ?? [];
  }

  /** Adds those of the jobs that are missing. Returns how many. */
  async restore(kind: JobKind, jobs: readonly Job[]): Promise<number> {
    const missing = new Set(
      await this.among(
        kind,
        jobs.map(({ id }) => id),
      ),
    );
    if (missing.size === 0) return 0;
    const added = await this.#ask(async () => {
      await this.#world.queue.add(
        kind,
        jobs.filter(({ id }) => missing.has(id)),
      );
      return missing.size;
    });
    return added ?? 0;
  }

  async #ask<T>(call: () => Promise<T>): Promise<T | null> {
    if (this.#away) return null;
    try {
      return await call();
    } catch (error) {
      if (errorCode(error) !== 'queue_unavailable') throw error;
      if (!this.#away) this.#world.log.warn('janitor.queue_away', { code: errorCode(error) });
      this.#away = true;
      return null;
    }
  }
}
