import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { heldInList } from '../quotas/held-in-list.js';
import type { World } from '../world.js';

interface Known {
  readonly counted: Promise<number>;
  readonly countedMs: number;
  since: number;
}

/**
 * How many events of a tenant are still to be told: counted now and then, with what this process noted since. Several processes may
 * together pass the limit by what they note between two counts.
 */
export class PendingEvents {
  readonly #world: Pick<World, 'store' | 'clock'>;
  readonly #known = new Map<string, Known>();

  constructor(world: Pick<World, 'store' | 'clock'>) {
    this.#world = world;
  }

  /** Whether one more may be noted, which then counts. */
  async take(tenant: string): Promise<boolean> {
    const now = this.#world.clock.monotonic();
    let known = this.#known.get(tenant);
    if (!known || now - known.countedMs >= bounds.webhookPendingCountedMs)
      this.#known.set(tenant, (known = { counted: this.#count(tenant), countedMs: now, since: 0 }));
    known.since++;
    return (await known.counted) + known.since <= bounds.webhookPendingEventsMax;
  }

  async #count(tenant: string): Promise<number> {
    try {
      const prefix = keys.pendingNoticesOf(tenant);
      return (await heldInList(this.#world.store, prefix, bounds.webhookPendingEventsMax)).size;
    } catch (error) {
      this.#known.delete(tenant);
      throw error;
    }
  }
}
