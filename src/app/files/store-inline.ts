import { storedFile, type StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { putOnAgenda, takeFromAgenda } from '../retention/agenda.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { commitFile } from './commit-file.js';
import { digestContent } from './content-digest.js';

/**
 * Stores the requests of a create call as the batch's input file, one line each. The file follows from the batch and the request
 * alone, so a repeated call meets the file of the first one.
 */
export async function storeInline(
  world: Pick<World, 'store' | 'clock' | 'log' | 'idSecret'>,
  tenant: string,
  batchId: string,
  requestHash: string,
  content: Uint8Array,
): Promise<StoredFile> {
  const { store } = world;
  const fileId = derivedId('file', world.idSecret, tenant, batchId, 'input', requestHash);
  const [earlier, deleted] = await Promise.all([
    getJson(store, keys.file(tenant, fileId), storedFile),
    store.head(keys.fileDeleted(tenant, fileId)),
  ]);
  // Bytes that are being removed must not come again: a batch could be under way over them. See `close-input.ts`.
  if (deleted)
    throw new EyrieError(
      'idempotency_key_reused',
      'The requests of this call were stored by an earlier attempt and have been deleted since. Use a new key for a new batch.',
      { param: 'Idempotency-Key' },
    );
  if (earlier) return earlier;
  const contentKey = keys.fileContent(tenant, fileId);
  // Should this be cut off for good before there is a file: its content is found by this.
  const leftoverMs = world.clock.now() + bounds.uploadLeftoverMs;
  await putOnAgenda(store, leftoverMs, tenant, fileId);
  const { created } = await store.create(contentKey, content);
  // A call before this one may have left it, perhaps of an earlier version that wrote lines in another way: what is there counts.
  const present = created ? content : (await store.get(contentKey))?.bytes;
  if (!present)
    throw new EyrieError('store_unavailable', 'The requests could not be read back from the store. Try again.');
  const description = { filename: `${batchId}_input.jsonl`, purpose: 'batch' as const, expires_after: undefined };
  await commitFile(world, tenant, fileId, description, digestContent(present), world.clock.now());
  await takeFromAgenda(world, leftoverMs, tenant, fileId);
  const stored = await getJson(store, keys.file(tenant, fileId), storedFile);
  if (!stored) throw new EyrieError('store_unavailable', 'The input file could not be read back. Try again.');
  return stored;
}
