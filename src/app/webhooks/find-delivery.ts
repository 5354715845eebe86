import type { Receiver, StoredDelivery, StoredEvent } from '../../contract/stored-webhooks.js';
import type { WebhookDeliveryWithBody } from '../../contract/webhook-endpoint-object.js';
import { EyrieError } from '../../domain/errors.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { findEvent, findReceiver, loadDelivery } from './event-records.js';
import { toDeliveryObject } from './view-delivery.js';

export interface FoundDelivery {
  readonly event: StoredEvent;
  readonly receiver: Receiver;
  readonly delivery: StoredDelivery;
}

/** Throws `not_found` when there is no such event of the tenant, or it does not go to this receiver. */
export async function findDelivery(
  store: ObjectStore,
  tenant: string,
  receiverId: string,
  eventId: string,
): Promise<FoundDelivery> {
  const event = await findEvent(store, tenant, eventId);
  const receiver = event && findReceiver(event, receiverId);
  if (!event || !receiver)
    throw new EyrieError('not_found', `No delivery of '${eventId.slice(0, 80)}' to this endpoint was found.`, {
      param: 'event_id',
    });
  return { event, receiver, delivery: await loadDelivery(store, event, receiver) };
}

/** A delivery with the body it sends. */
export async function viewDelivery(
  store: ObjectStore,
  tenant: string,
  receiverId: string,
  eventId: string,
): Promise<WebhookDeliveryWithBody> {
  const { event, delivery } = await findDelivery(store, tenant, receiverId, eventId);
  return { ...toDeliveryObject(delivery), body: event.body };
}
