import { terminalEvents, type WebhookEvent } from '../../contract/webhook-event.js';
import { storedEvent, type Receiver, type StoredDelivery, type StoredEvent } from '../../contract/stored-webhooks.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { Job } from '../../ports/job-queue.js';
import { deliveryJobOf } from '../jobs.js';
import { putOnAgenda } from '../retention/agenda.js';
import { createJson, getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { failed } from './after-attempt.js';
import { deliveryKey, newDelivery } from './event-records.js';

export interface NewEvent {
  readonly tenant: string;
  /** Fixed by what happened, so that publishing it again is the same event. */
  readonly event: WebhookEvent;
  readonly createdMs: number;
  readonly batchId: string | null;
  readonly receivers: readonly Receiver[];
  readonly retry: StoredEvent['retry'];
  readonly test?: boolean;
}

/** The event of a batch's end lives as long as its batch; every other one for a while, test events for less. */
function keptFor(type: WebhookEvent['type'], test: boolean): number | null {
  if (test) return bounds.webhookTestKeptMs;
  return terminalEvents.some((known) => known === type) ? null : bounds.webhookEventKeptMs;
}

const tooMany = `${bounds.webhookPendingEventsMax} events were still to be sent, and no more are kept: sent by a replay only`;

/**
 * Notes durably that an event has happened and who is to be notified. The notice stands before the event, so that the janitor finds
 * it whatever happens in between. Repeating it changes nothing: the receivers are those of the first time. Returns the event as
 * it stands; null when nobody is to be notified, or too many events of the tenant are still to be told: then its deliveries have
 * failed, and can be replayed.
 */
export async function publishEvent(
  { store, pendingEvents, refusals }: Pick<World, 'store' | 'pendingEvents' | 'refusals'>,
  { tenant, event, createdMs, batchId, receivers, retry, test = false }: NewEvent,
): Promise<StoredEvent | null> {
  if (receivers.length === 0) return null;
  const keptMs = keptFor(event.type, test);
  if (keptMs !== null) await putOnAgenda(store, createdMs + keptMs, tenant, event.id);
  // Tests are tried once, and few are sent at once.
  const hasRoom = test || (await pendingEvents.take(tenant));
  if (hasRoom) await store.put(keys.pendingNotice(tenant, event.id), Buffer.of());
  else refusals.note(tenant, 'webhookPendingEventsMax');
  const made: StoredEvent = {
    v: 1,
    id: event.id,
    tenant,
    type: event.type,
    createdMs,
    batchId,
    body: JSON.stringify(event),
    receivers: [...receivers],
    retry,
    test,
  };
  const key = keys.webhookEvent(tenant, event.id);
  const { created } = await createJson(store, key, made);
  const stands = created ? made : await getJson(store, key, storedEvent);
  if (!stands) throw new EyrieError('store_unavailable', `Event ${event.id} could not be read back. Try again.`);
  // So that logs show it at once; a lost one is made by the first attempt.
  for (const receiver of stands.receivers) {
    const delivery = newDelivery(stands, receiver);
    await createJson(store, deliveryKey(stands, receiver.id), hasRoom ? delivery : failed(delivery, tooMany));
  }
  return hasRoom ? stands : null;
}

/** The next attempt of each delivery that is due soon. The queue is held in memory: the janitor queues what is due later. */
export const deliveryJobs = (
  { clock, tenants }: Pick<World, 'clock' | 'tenants'>,
  event: StoredEvent,
  deliveries: readonly StoredDelivery[],
): Job[] =>
  deliveries.flatMap(({ receiverId, attempts, nextMs }) => {
    const pointer = { tenant: event.tenant, eventId: event.id, receiverId, attempt: attempts.length };
    const delayMs = Math.max(0, (nextMs ?? 0) - clock.now());
    return delayMs > bounds.webhookQueuedAheadMs ? [] : [deliveryJobOf(pointer, tenants.weight(event.tenant), delayMs)];
  });

/** Queues the next attempt of each delivery that is due soon. */
export async function queueDeliveries(
  world: Pick<World, 'queue' | 'clock' | 'tenants'>,
  event: StoredEvent,
  deliveries: readonly StoredDelivery[],
): Promise<void> {
  const jobs = deliveryJobs(world, event, deliveries);
  if (jobs.length > 0) await world.queue.add('deliver', jobs);
}

/** Queues the first attempts of an event that was just published. */
export const queueFirstAttempts = (
  world: Pick<World, 'queue' | 'clock' | 'tenants'>,
  event: StoredEvent,
): Promise<void> =>
  queueDeliveries(
    world,
    event,
    event.receivers.map((receiver) => newDelivery(event, receiver)),
  );
