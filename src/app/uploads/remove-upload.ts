import { storedUpload, uploadEnd } from '../../contract/stored-upload.js';
import { keys, type DueItem } from '../../domain/object-keys.js';
import { removeAll } from '../retention/remove-all.js';
import type { Removal, Remover } from '../retention/agenda.js';
import { getJson } from '../stored-json.js';

/** Parts of an ended upload are kept this long: a repeated completion or a slow part may still be under way. */
export const keepPartsMs = 10 * 60 * 1000;
/** The record of an ended upload is kept this long: its completion may be repeated. */
const keepRecordMs = 24 * 3600 * 1000;

/** Removes the parts of an ended upload, and its records a day after its end, with parts that came late. */
export async function removeUpload({ store, clock }: Remover, { tenant, id, dueMs }: DueItem): Promise<Removal> {
  const [upload, end] = await Promise.all([
    getJson(store, keys.upload(tenant, id), storedUpload),
    getJson(store, keys.uploadEnd(tenant, id), uploadEnd),
  ]);
  await removeAll(store, keys.uploadParts(tenant, id));
  const goneMs = (end?.endedMs ?? upload?.expiresMs ?? dueMs) + keepRecordMs;
  if (upload && clock.now() < goneMs) return { againMs: goneMs };
  // The end last: without it the upload would be open.
  for (const key of [keys.upload, keys.pendingUpload, keys.uploadEnd]) await store.delete(key(tenant, id));
  return 'done';
}
