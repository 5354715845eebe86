import {
  storedDelivery,
  storedEvent,
  type Receiver,
  type StoredDelivery,
  type StoredEvent,
} from '../../contract/stored-webhooks.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { getJson, putJson } from '../stored-json.js';

/** Reads and writes of events and of their deliveries. A delivery lies where the log of its receiver lists it, newest first. */

export const findEvent = (store: ObjectStore, tenant: string, eventId: string): Promise<StoredEvent | null> =>
  isId('event', eventId) ? getJson(store, keys.webhookEvent(tenant, eventId), storedEvent) : Promise.resolve(null);

export const deliveryKey = (event: StoredEvent, receiverId: string): string =>
  keys.webhookDelivery(event.tenant, receiverId, event.createdMs, event.id);

/** A delivery that nobody has tried yet. */
export const newDelivery = (event: StoredEvent, { id }: Receiver): StoredDelivery => ({
  v: 1,
  eventId: event.id,
  receiverId: id,
  type: event.type,
  batchId: event.batchId,
  test: event.test,
  createdMs: event.createdMs,
  state: 'pending',
  reason: null,
  attempts: [],
  nextMs: event.createdMs,
});

export const findReceiver = (event: StoredEvent, receiverId: string): Receiver | null =>
  event.receivers.find(({ id }) => id === receiverId) ?? null;

/** A lost record counts as untried: the worst that follows is a duplicate. */
export async function loadDelivery(
  store: ObjectStore,
  event: StoredEvent,
  receiver: Receiver,
): Promise<StoredDelivery> {
  return (await getJson(store, deliveryKey(event, receiver.id), storedDelivery)) ?? newDelivery(event, receiver);
}

/** Requests to send an event again to a receiver that are still to be carried out: their keys, oldest first. */
export async function replaysAsked(store: ObjectStore, event: StoredEvent, receiverId: string): Promise<string[]> {
  const page = await store.list(keys.webhookReplays(event.tenant, event.id, receiverId));
  return page.objects.map(({ key }) => key);
}

export const saveDelivery = (store: ObjectStore, event: StoredEvent, delivery: StoredDelivery): Promise<unknown> =>
  putJson(store, deliveryKey(event, delivery.receiverId), delivery);
