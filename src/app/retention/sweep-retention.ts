import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys, parseDue, parseDueResultId } from '../../domain/object-keys.js';
import { forRemoval, putOnAgenda, type DueItem, type Look, type Removal, type Remover } from './agenda.js';
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
  const result = parseDueResultId(item.id);
  if (result) return removeResult(world, item.tenant, result);
  return 'done';
}

interface Entry {
  readonly key: string;
  readonly item: DueItem;
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
  if (removal === 'stays') return;
  if (removal !== 'done') await putOnAgenda(store, removal.againMs, item.tenant, item.id, forRemoval);
  await store.delete(key);
}

/** Looks at all entries of a page, then at the inputs in use, and only then removes: the order that `close-input.ts` needs. */
async function sweepPage(world: Remover, entries: readonly Entry[], inUse: InputsInUse): Promise<void> {
  const removable: { readonly entry: Entry; readonly remove: () => Promise<Removal> }[] = [];
  inUse.renew();
  for (const entry of entries)
    await attempt(world, entry, async () => {
      const found = await look(world, entry.item, inUse);
      if (typeof found === 'object' && 'remove' in found) removable.push({ entry, remove: found.remove });
      else await settle(world, entry, found);
    });
  inUse.renew();
  for (const { entry, remove } of removable)
    await attempt(world, entry, async () => settle(world, entry, await remove()));
}

/**
 * Removes what was deleted or has expired, and what an upload left behind that was cut off. Each step may be repeated and the
 * entry goes last, so a sweep that is stopped anywhere is finished by the next; several may run at once.
 */
export async function sweepRetention(world: Remover): Promise<void> {
  const { store, clock } = world;
  const inUse = new InputsInUse(store);
  let after: string | null = null;
  do {
    const page = await store.list(keys.dueItems, after === null ? {} : { after });
    const known = page.objects.flatMap(({ key }) => {
      const item = parseDue(key);
      return item ? [{ key, item }] : [];
    });
    const due = known.filter(({ item }) => item.dueMs <= clock.now());
    await sweepPage(world, due, inUse);
    if (due.length < known.length) return;
    after = page.next;
  } while (after !== null);
}
