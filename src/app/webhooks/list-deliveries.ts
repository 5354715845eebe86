import { toListPage, type ListPage } from '../../contract/file-object.js';
import { storedDelivery } from '../../contract/stored-webhooks.js';
import type { WebhookDeliveryObject } from '../../contract/webhook-endpoint-object.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import { isReceiverId, keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { loadShownSubmit } from '../batch-records.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { deliveryKey, findEvent, loadDelivery } from './event-records.js';
import { findDelivery } from './find-delivery.js';
import { findEndpoint } from './endpoint-revisions.js';
import { toDeliveryObject } from './view-delivery.js';

async function cursorKey(store: ObjectStore, tenant: string, receiverId: string, after: string): Promise<string> {
  try {
    return deliveryKey((await findDelivery(store, tenant, receiverId, after)).event, receiverId);
  } catch (cause) {
    if (errorCode(cause) !== 'not_found') throw cause;
    throw new EyrieError(
      'invalid_value',
      `Invalid value for 'after': no event '${after.slice(0, 80)}' went to this endpoint.`,
      { param: 'after', cause },
    );
  }
}

/**
 * What was sent to an endpoint, newest event first: one listing and one read for each entry, however many batches there are. Also
 * for endpoints of the tenants file and for the URL that a batch named, by the id that their deliveries show. Throws `not_found`
 * for an endpoint that is not there and was never sent anything.
 */
export async function listDeliveries(
  store: ObjectStore,
  tenant: string,
  receiverId: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<ListPage<WebhookDeliveryObject>> {
  const missing = new EyrieError('not_found', `No webhook endpoint found with id '${receiverId.slice(0, 80)}'.`, {
    param: 'endpoint_id',
  });
  if (!isReceiverId(receiverId)) throw missing;
  const after = page.after === null ? {} : { after: await cursorKey(store, tenant, receiverId, page.after) };
  const { objects } = await store.list(keys.webhookDeliveries(tenant, receiverId), { ...after, limit: page.limit + 1 });
  if (objects.length === 0 && page.after === null && !(await findEndpoint(store, tenant, receiverId))) throw missing;
  const found = await Promise.all(objects.slice(0, page.limit).map(({ key }) => getJson(store, key, storedDelivery)));
  return toListPage(
    found.flatMap((delivery) => (delivery ? [toDeliveryObject(delivery)] : [])),
    objects.length > page.limit,
  );
}

/** Who is told of a batch's end, and how far that has come. Empty before the end, and when nobody is told. Throws `not_found`. */
export async function deliveriesOfBatch(
  world: Pick<World, 'store' | 'records'>,
  tenant: string,
  batchId: string,
): Promise<ListPage<WebhookDeliveryObject>> {
  const { store, records } = world;
  await loadShownSubmit(world, tenant, batchId);
  const manifest = await records.manifest(tenant, batchId);
  const event = manifest && (await findEvent(store, tenant, manifest.eventId));
  if (!event) return toListPage([], false);
  const deliveries = await Promise.all(event.receivers.map((receiver) => loadDelivery(store, event, receiver)));
  return toListPage(deliveries.map(toDeliveryObject), false);
}
