import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys, parseDue, parseDueResultId } from '../../domain/object-keys.js';
import { putOnAgenda, type DueItem, type Removal, type Remover } from './agenda.js';
import { InputsInUse } from './inputs-in-use.js';
import { removeBatch } from './remove-batch.js';
import { removeFile } from './remove-file.js';
import { removeResult } from './remove-result.js';

async function remove(world: Remover, item: DueItem, inUse: InputsInUse): Promise<Removal> {
  if (isId('file', item.id)) return removeFile(world, item, inUse);
  if (isId('batch', item.id)) return removeBatch(world, item);
  const result = parseDueResultId(item.id);
  if (result) return removeResult(world, item.tenant, result);
  return 'done';
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
    for (const { key } of page.objects) {
      const item = parseDue(key);
      if (!item) continue;
      if (item.dueMs > clock.now()) return;
      try {
        const removal = await remove(world, item, inUse);
        if (removal === 'stays') continue;
        if (removal !== 'done') await putOnAgenda(store, removal.againMs, item.tenant, item.id);
        await store.delete(key);
      } catch (error) {
        world.log.warn('retention.failed', { tenant: item.tenant, id: item.id, code: errorCode(error) });
      }
    }
    after = page.next;
  } while (after !== null);
}
