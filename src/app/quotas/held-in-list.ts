import type { ObjectStore } from '../../ports/object-store.js';
import type { Held } from './claims.js';

/**
 * The things that a list of the store has an entry for, one unit each, by the name of their entry behind the prefix; no more than are
 * needed to see that a limit is used up.
 */
export async function heldInList(
  store: ObjectStore,
  prefix: string,
  limit: number,
  idOf: (name: string) => string = (name) => name,
): Promise<Held> {
  const held = new Map<string, number>();
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    for (const { key } of page.objects) held.set(idOf(key.slice(prefix.length)), 1);
    after = page.next;
    // One more than the limit: one of them may be the thing itself.
  } while (after !== null && held.size <= limit);
  return held;
}
