import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError } from '../../domain/errors.js';
import { isTenant } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { FairShare } from '../fair/fair-share.js';
import { sideBySide } from '../side-by-side.js';
import type { World } from '../world.js';

type Sweeper = Pick<World, 'store' | 'clock' | 'log' | 'tenants'>;

/** The tenants that have anything below a prefix that their names follow: what else a tenant has there is passed over. */
export async function* tenantsBelow(store: ObjectStore, prefix: string): AsyncGenerator<string> {
  let after: string | null = null;
  do {
    const page = await store.list(prefix, { limit: bounds.sweepTenantsListed, ...(after === null ? {} : { after }) });
    let last: string | null = null;
    for (const { key } of page.objects) {
      const [tenant = ''] = key.slice(prefix.length).split('/', 1);
      if (tenant === last) continue;
      last = tenant;
      if (isTenant(tenant)) yield tenant;
    }
    // '0' is the character behind '/': this sorts behind all that the last tenant has.
    after = page.next !== null && last !== null && isTenant(last) ? `${prefix}${last}0` : page.next;
  } while (after !== null);
}

/** What a sweep does at once, shared out by tenant. */
export const sweepShare = (tenants: Sweeper['tenants']): FairShare =>
  new FairShare({
    places: bounds.storeReadsAtOnce,
    placesPerTenant: bounds.sweepStepsPerTenant,
    waitingPerTenant: Infinity,
    tenants,
    refusal: () => new EyrieError('internal_error', 'Steps of a sweep wait for their turn.'),
  });

/** Does a step for each item of a tenant, as many at once as its share has room for. */
export type Each = <T>(items: Iterable<T> | AsyncIterable<T>, step: (item: T) => Promise<unknown>) => Promise<void>;

/**
 * Sweeps what stands below a prefix, by tenant and side by side. `turn` does a bounded part of a tenant's, from behind `after`, and
 * gives where the next part begins, null at the end. Tenants that have more get further turns, while the sweep is not too long: what
 * one has to be swept, or that it cannot be, keeps no other waiting for longer than that.
 */
export async function sweepByTenant(
  world: Sweeper,
  { prefix, failed }: { readonly prefix: string; readonly failed: string },
  turn: (tenant: string, after: string | null, each: Each) => Promise<string | null>,
): Promise<void> {
  const { store, clock, log } = world;
  const share = sweepShare(world.tenants);
  const endMs = clock.monotonic() + bounds.sweepTurnsMs;
  let after = new Map<string, string>();
  do {
    const more = new Map<string, string>();
    const tenants = after.size === 0 ? tenantsBelow(store, prefix) : after.keys();
    const from = after;
    await sideBySide(tenants, bounds.storeReadsAtOnce, async (tenant: string) => {
      const each: Each = (items, step) =>
        sideBySide(items, bounds.sweepStepsPerTenant, (item) => share.run(tenant, () => step(item)));
      try {
        const next = await turn(tenant, from.get(tenant) ?? null, each);
        if (next !== null) more.set(tenant, next);
      } catch (error) {
        log.warn(failed, { tenant, code: errorCode(error) });
      }
    });
    after = more;
  } while (after.size > 0 && clock.monotonic() < endMs);
}
