import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';

/** Bytes that a tenant's batches take in the store. A part whose result file is still to be made counts twice: it will be there twice. */
export async function countResults(store: ObjectStore, tenant: string): Promise<number> {
  const prefix = keys.batches(tenant);
  let sum = 0;
  /** The batch seen last. Its result files sort before its parts. */
  let last = { batch: '', hasFiles: false };
  for await (const { key, bytes } of listAll(store, prefix)) {
    const [batch = '', folder] = key.slice(prefix.length).split('/');
    if (last.batch !== batch) last = { batch, hasFiles: false };
    if (folder === 'out') last.hasFiles = true;
    sum += folder === 'parts' && !last.hasFiles ? 2 * bytes : bytes;
  }
  return sum;
}
