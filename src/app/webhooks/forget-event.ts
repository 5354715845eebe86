import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { removeAll } from '../retention/remove-all.js';
import { deliveryKey, findEvent } from './event-records.js';

/** Removes an event that was told to everybody, with its place in the logs. May be repeated. */
export async function forgetEvent(store: ObjectStore, tenant: string, eventId: string): Promise<void> {
  const event = await findEvent(store, tenant, eventId);
  if (!event) return;
  await store.deleteMany(event.receivers.map(({ id }) => deliveryKey(event, id)));
  await removeAll(store, keys.webhookReplaysOfEvent(tenant, eventId));
  // Last: it names what else there is to remove.
  await store.delete(keys.webhookEvent(tenant, eventId));
}
