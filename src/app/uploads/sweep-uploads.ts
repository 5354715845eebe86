import { storedUpload, uploadEnd, type UploadEnd } from '../../contract/stored-upload.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { forRemoval, putOnAgenda } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';
import { sweepByTenant } from '../sweep/by-tenant.js';
import type { World } from '../world.js';
import { keepPartsMs } from './remove-upload.js';

type Sweeper = Pick<World, 'store' | 'clock' | 'log' | 'tenants'>;

/** A marker without an upload behind it is left for this long: the call that makes it may still be under way. */
const orphanMarkerMs = 3600 * 1000;

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
  const upload = await getJson(store, keys.upload(tenant, uploadId), storedUpload);
  if (upload) {
    const end = await endOf(world, tenant, uploadId, upload.expiresMs);
    if (!end) return;
    // From here on it is the agenda's: see `remove-upload.ts`.
    await putOnAgenda(store, end.endedMs + keepPartsMs, tenant, uploadId, forRemoval);
  } else if (clock.now() - markedMs < orphanMarkerMs) return;
  // What ended it may have been stopped before this.
  await store.delete(keys.pendingUpload(tenant, uploadId));
  if (!upload) await store.delete(keys.uploadEnd(tenant, uploadId));
  await store.delete(keys.openUpload(tenant, uploadId));
}

/**
 * Ends uploads whose hour is over, and puts ended ones on the agenda of removals. Each upload is looked at while it is open, and once
 * when it has ended. May run in several processes at once.
 */
export const sweepUploads = (world: Sweeper): Promise<void> =>
  sweepByTenant(world, { prefix: keys.openUploads, failed: 'upload.sweep_failed' }, async (tenant, after, each) => {
    const page = await world.store.list(`${keys.openUploads}${tenant}/`, {
      limit: bounds.sweepEntriesPerTurn,
      ...(after === null ? {} : { after }),
    });
    await each(page.objects, async ({ key, modifiedMs }) => {
      const uploadId = key.slice(keys.openUpload(tenant, '').length);
      if (!isId('upload', uploadId)) return;
      try {
        await sweepUpload(world, tenant, uploadId, modifiedMs);
      } catch (error) {
        world.log.warn('upload.sweep_failed', { tenant, uploadId, code: errorCode(error) });
      }
    });
    return page.next;
  });
