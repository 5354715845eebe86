import { bounds, type BoundName } from '../../domain/bounds.js';
import type { Clock } from '../../ports/clock.js';
import type { Log } from '../../ports/log.js';

interface Seen {
  loggedMs: number;
  count: number;
}

/**
 * Work that was refused because of a bound. Each refusal is counted by bound; the log gets one line a minute and tenant at most, with
 * how many there were since the last one: whoever sends a thousand calls too many must not fill the log as well.
 */
export class Refusals {
  readonly #world: { readonly clock: Pick<Clock, 'monotonic'>; readonly log: Pick<Log, 'warn'> };
  readonly #seen = new Map<string, Seen>();
  readonly #counts = new Map<BoundName, number>();

  constructor(world: { readonly clock: Pick<Clock, 'monotonic'>; readonly log: Pick<Log, 'warn'> }) {
    this.#world = world;
  }

  /** `tenant` is empty for a caller that is not known. */
  note(tenant: string, bound: BoundName): void {
    this.#counts.set(bound, (this.#counts.get(bound) ?? 0) + 1);
    const now = this.#world.clock.monotonic();
    const seen = this.#seen.get(tenant) ?? { loggedMs: -Infinity, count: 0 };
    this.#seen.set(tenant, seen);
    seen.count++;
    if (now - seen.loggedMs < bounds.refusalLogMs) return;
    this.#world.log.warn('work.refused', { tenant: tenant || null, bound, refused: seen.count });
    seen.loggedMs = now;
    seen.count = 0;
  }

  /** Refusals since the start, by the bound that caused them. */
  counts(): ReadonlyMap<BoundName, number> {
    return this.#counts;
  }
}
