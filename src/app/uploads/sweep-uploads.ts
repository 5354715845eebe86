import { storedUpload, uploadEnd, type UploadEnd } from '../../contract/stored-upload.js';
import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { isTenant, keys } from '../../domain/object-keys.js';
import { forRemoval } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';
import type { World } from '../world.js';

type Sweeper = Pick<World, 'store' | 'clock' | 'log'>;

/** Parts of an ended upload are kept this long: a repeated completion or a slow part may still be under way. */
const keepPartsMs = 10 * 60 * 1000;
/** The record of an ended upload is kept this long: its completion may be repeated. */
const keepRecordMs = 24 * 3600 * 1000;
/** A marker without an upload behind it is left for this long: the call that makes it may still be under way. */
const orphanMarkerMs = 3600 * 1000;

async function removeParts({ store }: Sweeper, tenant: string, uploadId: string): Promise<void> {
  for (;;) {
    const { objects } = await store.list(keys.uploadParts(tenant, uploadId));
    if (objects.length === 0) return;
    await store.deleteMany(objects.map(({ key }) => key));
  }
}

/** The upload's end; one whose hour is over is ended here. */
async function endOf(world: Sweeper, tenant: string, uploadId: string, expiresMs: number): Promise<UploadEnd | null> {
  const key = keys.uploadEnd(tenant, uploadId);
  const end = await getJson(world.store, key, uploadEnd);
  if (end || expiresMs > world.clock.now()) return end;
  await createJson(world.store, key, { v: 1, state: 'expired', endedMs: world.clock.now() }, forRemoval);
  world.log.info('upload.expired', { tenant, uploadId });
  return getJson(world.store, key, uploadEnd);
}

async function sweepUpload(world: Sweeper, tenant: string, uploadId: string, markedMs: number): Promise<void> {
  const { store, clock } = world;
  const now = clock.now();
  const upload = await getJson(store, keys.upload(tenant, uploadId), storedUpload);
  if (upload) {
    const end = await endOf(world, tenant, uploadId, upload.expiresMs);
    // What ended it may have been stopped before this.
    if (end) await store.delete(keys.pendingUpload(tenant, uploadId));
    if (!end || now - end.endedMs < keepPartsMs) return;
    await removeParts(world, tenant, uploadId);
    if (now - end.endedMs < keepRecordMs) return;
    await store.delete(keys.upload(tenant, uploadId));
  } else if (now - markedMs < orphanMarkerMs) return;
  await store.delete(keys.pendingUpload(tenant, uploadId));
  await store.delete(keys.uploadEnd(tenant, uploadId));
  await store.delete(keys.openUpload(tenant, uploadId));
}

/**
 * Ends uploads whose hour is over, removes the parts of ended ones, and a day later their records. May run in several processes
 * at once.
 */
export async function sweepUploads(world: Sweeper): Promise<void> {
  let after: string | null = null;
  do {
    const page = await world.store.list(keys.openUploads, after === null ? {} : { after });
    for (const { key, modifiedMs } of page.objects) {
      const [tenant = '', uploadId = ''] = key.slice(keys.openUploads.length).split('/');
      if (!isTenant(tenant) || !isId('upload', uploadId)) continue;
      try {
        await sweepUpload(world, tenant, uploadId, modifiedMs);
      } catch (error) {
        world.log.warn('upload.sweep_failed', { tenant, uploadId, code: errorCode(error) });
      }
    }
    after = page.next;
  } while (after !== null);
}
