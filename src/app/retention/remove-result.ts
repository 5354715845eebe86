import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { findManifest } from '../batch-records.js';
import type { Removal, Remover } from './agenda.js';

/**
 * Looks at a result file some time after a finisher began it.
 *
 *     found                                   action
 *     the manifest names it                   nothing: it is a file like others now
 *     the batch has not ended                 look again later: it may still be named
 *     else                                    remove it: another finisher was first, or the batch is gone
 *
 * The record goes before the content, so that there is no record of a content that is not there. Nobody ever saw it, so no
 * tombstone is needed.
 */
export async function removeResult(
  { store, clock, log }: Remover,
  tenant: string,
  { batchId, fileId }: { readonly batchId: string; readonly fileId: string },
): Promise<Removal> {
  const manifest = await findManifest(store, tenant, batchId);
  if (manifest?.output?.fileId === fileId || manifest?.errors?.fileId === fileId) return 'done';
  if (!manifest && (await store.head(keys.submit(tenant, batchId))))
    return { againMs: clock.now() + bounds.removalRetryMs };
  const contentKey = keys.result(tenant, batchId, fileId);
  if (!(await store.head(contentKey))) return 'done';
  await store.delete(keys.file(tenant, fileId));
  await store.delete(contentKey);
  log.info('batch.unused_results_removed', { tenant, batchId, fileId });
  return 'done';
}
