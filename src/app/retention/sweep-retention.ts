import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys, parseDue, parseDueResultId, parseOldDue, type DueItem } from '../../domain/object-keys.js';
import type { ListPage } from '../../ports/object-store.js';
import { sideBySide } from '../side-by-side.js';
import { sweepByTenant, type Each } from '../sweep/by-tenant.js';
import { removeUpload } from '../uploads/remove-upload.js';
import type { World } from '../world.js';
import { forRemoval, putOnAgenda, type Look, type Removal, type Remover } from './agenda.js';
import { InputsInUse } from './inputs-in-use.js';
import { removeBatch } from './remove-batch.js';
import { removeEvent } from './remove-event.js';
import { removeFile } from './remove-file.js';
import { removeKey } from './remove-key.js';
import { removeResult } from './remove-result.js';

async function look(world: Remover, item: DueItem, inUse: InputsInUse): Promise<Look> {
  if (isId('file', item.id)) return removeFile(world, item, inUse);
  if (isId('batch', item.id)) return removeBatch(world, item);
  if (isId('event', item.id)) return removeEvent(world, item);
  if (isId('key', item.id)) return removeKey(world, item);
  if (isId('upload', item.id)) return removeUpload(world, item);
  const result = parseDueResultId(item.id);
  if (result) return removeResult(world, item.tenant, result);
  return 'done';
}

interface Entry {
  readonly key: string;
  readonly item: DueItem;
}

/** The entries of a page, which is in order of time, that are due; the others come after them. */
function dueOf({ objects }: ListPage, parse: (key: string) => DueItem | null, nowMs: number) {
  const known = objects.flatMap(({ key }): Entry[] => {
    const item = parse(key);
    return item ? [{ key, item }] : [];
  });
  const due = known.filter(({ item }) => item.dueMs <= nowMs);
  return { due, isAll: due.length === known.length };
}

/** What comes of one entry; null when it failed, which leaves it for the next sweep. */
async function attempt<T>(world: Remover, { item }: Entry, step: () => Promise<T>): Promise<T | null> {
  try {
    return await step();
  } catch (error) {
    world.log.warn('retention.failed', { tenant: item.tenant, id: item.id, code: errorCode(error) });
    return null;
  }
}

async function settle({ store }: Remover, { key, item }: Entry, removal: Removal): Promise<void> {
  if (removal !== 'done') {
    const laterKey = keys.due(removal.againMs, item.tenant, item.id, removal.sinceMs);
    if (laterKey === key) return;
    await store.put(laterKey, Buffer.of(), forRemoval);
  }
  await store.delete(key);
}

/** Looks at all entries, then at the inputs in use, and only then removes: the order that `close-input.ts` needs. */
async function sweepEntries(
  world: Remover,
  tenant: string,
  entries: readonly Entry[],
  inUse: InputsInUse,
  each: Each,
): Promise<void> {
  const removable: { readonly entry: Entry; readonly remove: () => Promise<Removal> }[] = [];
  inUse.renew(tenant);
  await each(entries, (entry) =>
    attempt(world, entry, async () => {
      const found = await look(world, entry.item, inUse);
      if (typeof found === 'object' && 'remove' in found) removable.push({ entry, remove: found.remove });
      else await settle(world, entry, found);
    }),
  );
  inUse.renew(tenant);
  await each(removable, ({ entry, remove }) => attempt(world, entry, async () => settle(world, entry, await remove())));
}

/** Puts due entries of earlier versions on their tenants' agendas: so many in each sweep, and the rest in the next. */
async function moveOldEntries(world: Remover): Promise<void> {
  const { store, clock } = world;
  let after: string | null = null;
  for (let moved = 0; moved < bounds.sweepOldEntriesMax;) {
    const page = await store.list(keys.oldDueItems, after === null ? {} : { after });
    const { due, isAll } = dueOf(page, parseOldDue, clock.now());
    await sideBySide(due, bounds.storeReadsAtOnce, (entry) =>
      attempt(world, entry, async () => {
        await putOnAgenda(store, entry.item.dueMs, entry.item.tenant, entry.item.id, forRemoval);
        await store.delete(entry.key);
      }),
    );
    if (!isAll || page.next === null) return;
    after = page.next;
    moved += due.length;
  }
}

/**
 * Removes what was deleted or has expired, and what an upload left behind that was cut off. Each step may be repeated and the
 * entry goes last, so a sweep that is stopped anywhere is finished by the next; several may run at once.
 */
export async function sweepRetention(world: Remover & Pick<World, 'tenants'>): Promise<void> {
  const { store, clock } = world;
  await moveOldEntries(world);
  const inUse = new InputsInUse(store);
  await sweepByTenant(world, { prefix: keys.agendas, failed: 'retention.failed' }, async (tenant, after, each) => {
    const page = await store.list(keys.agenda(tenant), {
      limit: bounds.sweepEntriesPerTurn,
      ...(after === null ? {} : { after }),
    });
    const { due, isAll } = dueOf(page, parseDue, clock.now());
    await sweepEntries(world, tenant, due, inUse, each);
    return isAll ? page.next : null;
  });
}
