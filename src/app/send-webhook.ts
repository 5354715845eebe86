import { deliveryJob, type DeliveryJob } from '../contract/queue-payload.js';
import type { Attempt, Receiver, StoredDelivery, StoredEvent } from '../contract/stored-webhooks.js';
import { errorCode } from '../domain/errors.js';
import { webhookHeaders } from '../domain/webhook-signature.js';
import type { RunningJob } from '../ports/job-queue.js';
import type { WebhookSender } from '../ports/webhook-sender.js';
import { copyToOutbox } from './copy-to-outbox.js';
import { afterAttempt, failed } from './webhooks/after-attempt.js';
import { noteHealth } from './webhooks/endpoint-health.js';
import { findEvent, findReceiver, loadDelivery, replaysAsked, saveDelivery } from './webhooks/event-records.js';
import { findTarget, type Target } from './webhooks/find-target.js';
import type { SharedDeliveries } from './webhooks/lanes/share-deliveries.js';
import { overtakenBy } from './webhooks/overtaken-by.js';
import { queueDeliveries } from './webhooks/publish-event.js';
import type { World } from './world.js';

export type Notifier = World & {
  readonly sender: WebhookSender;
  readonly deliveries: SharedDeliveries;
  /** An endpoint has to answer within this time. */
  readonly webhookTimeoutMs: number;
};

/** A result that is damaged or missing may be mended by the operator: it is tried again like a receiver that fails, and the log of deliveries shows why. */
async function copyResults(world: Notifier, { submit, manifest }: Extract<Target, { kind: 'copy' }>) {
  try {
    await copyToOutbox(world, submit, manifest);
    return { status: 200, error: null, retryAfterMs: null };
  } catch (error) {
    if (!['content_damaged', 'not_found'].includes(errorCode(error))) throw error;
    return { status: null, error: (error as Error).message, retryAfterMs: null };
  }
}

/** Posts the event, signed with every secret: its id is the same on each attempt, the timestamp is new. Or copies the results. */
async function act(world: Notifier, event: StoredEvent, target: Exclude<Target, { kind: 'none' }>) {
  if (target.kind === 'copy') {
    return copyResults(world, target);
  }
  // An unsigned event would teach receivers to take unsigned events.
  if (target.secrets.length === 0) return { status: null, error: 'no signing secret can be read', retryAfterMs: null };
  const headers = webhookHeaders(event.id, Math.floor(world.clock.now() / 1000), event.body, target.secrets);
  return world.sender.post({
    tenant: event.tenant,
    url: target.url,
    headers,
    body: event.body,
    timeoutMs: world.webhookTimeoutMs,
  });
}

/** What each state after an attempt is called in the log, and so counted: whole words, so that a search finds them. */
const outcomeEvents = Object.freeze({
  pending: 'webhook.will_retry',
  delivered: 'webhook.delivered',
  failed: 'webhook.gave_up',
}) satisfies Readonly<Record<StoredDelivery['state'], string>>;

function logOutcome(world: Notifier, event: StoredEvent, after: StoredDelivery, attempt: Attempt): void {
  world.log.info(outcomeEvents[after.state], {
    tenant: event.tenant,
    eventId: event.id,
    batchId: event.batchId,
    endpointId: after.receiverId,
    attempt: after.attempts.length,
    status: attempt.status,
    error: attempt.error,
    ms: attempt.durationMs,
  });
}

/** Makes the attempt and records it. Returns what the delivery has become. */
async function attemptDelivery(
  world: Notifier,
  event: StoredEvent,
  delivery: StoredDelivery,
  target: Exclude<Target, { kind: 'none' }>,
  replay: boolean,
): Promise<StoredDelivery> {
  const startedMs = world.clock.now();
  const started = world.clock.monotonic();
  const { status, error, retryAfterMs } = await act(world, event, target);
  const durationMs = Math.round(world.clock.monotonic() - started);
  const attempt = { startedMs, durationMs, status, error, replay };
  const after = afterAttempt(event, delivery, attempt, retryAfterMs);
  await saveDelivery(world.store, event, after);
  logOutcome(world, event, after, attempt);
  if (target.kind === 'post' && target.endpointId !== null)
    await noteHealth(world, event.tenant, target.endpointId, attempt);
  return after;
}

async function deliver(world: Notifier, job: DeliveryJob, event: StoredEvent, receiver: Receiver): Promise<void> {
  const { store, clock } = world;
  const delivery = await loadDelivery(store, event, receiver);
  const [replay] = await replaysAsked(store, event, receiver.id);
  if (delivery.state !== 'pending' && replay === undefined) return;
  // A job that was left over from an earlier attempt: the one that counts has another id.
  if (delivery.attempts.length !== job.attempt) return;
  const reason = await overtakenBy(store, event);
  const target: Target = reason === null ? await findTarget(world, event, receiver) : { kind: 'none', reason };
  let after = delivery;
  if (target.kind !== 'none') after = await attemptDelivery(world, event, delivery, target, replay !== undefined);
  else if (delivery.state === 'pending') await saveDelivery(store, event, (after = failed(delivery, target.reason)));
  if (replay !== undefined) await store.delete(replay);
  // Another one may have been asked for while the receiver was thinking.
  const again = (await replaysAsked(store, event, receiver.id)).length > 0;
  if (again) await queueDeliveries(world, event, [{ ...after, nextMs: clock.now() }]);
  else if (after.state === 'pending') await queueDeliveries(world, event, [after]);
}

/**
 * One attempt to tell one receiver of an event. A failure is recorded and the next attempt queued with its delay, for three days;
 * the event's id and bytes are the same on every attempt.
 */
export async function sendWebhook(world: Notifier, job: RunningJob): Promise<void> {
  const pointer = deliveryJob.parse(job.payload);
  await world.deliveries.run(pointer, async () => {
    const event = await findEvent(world.store, pointer.tenant, pointer.eventId);
    const receiver = event && findReceiver(event, pointer.receiverId);
    if (event && receiver) await deliver(world, pointer, event, receiver);
  });
}
