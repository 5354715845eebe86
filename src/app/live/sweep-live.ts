import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';

/** Removes the objects of live calls whose process was killed. May run in several processes at once. */
export async function sweepLive({ store, clock }: Pick<World, 'store' | 'clock'>): Promise<void> {
  let after: string | null = null;
  do {
    const page = await store.list(keys.liveCalls, after === null ? {} : { after });
    const old = page.objects.filter(({ modifiedMs }) => clock.now() - modifiedMs > bounds.liveObjectMs);
    await store.deleteMany(old.map(({ key }) => key));
    after = page.next;
  } while (after !== null);
}
