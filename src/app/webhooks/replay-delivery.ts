import type { WebhookDeliveryObject } from '../../contract/webhook-endpoint-object.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { deliveryJobId } from '../jobs.js';
import type { World } from '../world.js';
import { findEndpoint } from './endpoint-revisions.js';
import { findDelivery } from './find-delivery.js';
import { loadDelivery, replaysAsked } from './event-records.js';
import { queueDeliveries } from './publish-event.js';
import { toDeliveryObject } from './view-delivery.js';

/**
 * Sends an event again, whatever became of its delivery so far: the same event with the same id and body, a new timestamp, one more
 * attempt in the log. If it fails, the schedule goes on where it was. Throws `not_found`, `invalid_value` for an endpoint that is
 * disabled, `rate_limit_exceeded` when too many events are still to be sent.
 */
export async function replayDelivery(
  world: World,
  tenant: string,
  receiverId: string,
  eventId: string,
): Promise<WebhookDeliveryObject> {
  const { store, clock } = world;
  const { event, receiver, delivery } = await findDelivery(store, tenant, receiverId, eventId);
  if (receiver.kind === 'endpoint') {
    const endpoint = await findEndpoint(store, tenant, receiverId);
    if (!endpoint)
      throw new EyrieError('not_found', `Webhook endpoint '${receiverId}' was deleted.`, { param: 'endpoint_id' });
    if (endpoint.disabled !== null && !event.test)
      throw new EyrieError(
        'invalid_value',
        `Webhook endpoint '${receiverId}' is disabled. Enable it first: POST /v1/webhook_endpoints/${receiverId} with {"enabled": true}.`,
        { param: 'endpoint_id' },
      );
  }
  if (!(await world.pendingEvents.take(tenant)) && !(await store.head(keys.pendingNotice(tenant, eventId))))
    throw new EyrieError(
      'rate_limit_exceeded',
      `${bounds.webhookPendingEventsMax} events are still to be sent to your webhook endpoints, and no more are allowed. Wait until some were taken, or disable the endpoints that take none.`,
      { bound: 'webhookPendingEventsMax' },
    );
  const request = keys.webhookReplay(tenant, eventId, receiverId, world.ids.next('request'));
  await world.claims.take(
    {
      kind: `replays:${eventId}:${receiverId}`,
      tenant,
      id: request,
      limit: bounds.webhookReplaysMax,
      held: async () => {
        // Those that wait first: one that is carried out in between is then counted twice, not missed.
        const waiting = await replaysAsked(store, event, receiverId);
        const { attempts } = await loadDelivery(store, event, receiver);
        const done = attempts.filter((attempt) => attempt.replay).length;
        return new Map([['done', done], ...waiting.map((key) => [key, 1] as const)]);
      },
      refusal: (replays) =>
        new EyrieError(
          'invalid_value',
          `This event was sent again ${replays} times, and no more are allowed. GET the delivery for its body.`,
          { param: 'event_id', bound: 'webhookReplaysMax' },
        ),
    },
    async () => {
      // As with batches: the notice before, so that nothing is forgotten, and after, in case a sweep took it for a leftover. The
      // request is an object of its own: a delivery is written by those who deliver, and by nobody else.
      const notice = keys.pendingNotice(tenant, eventId);
      await store.put(notice, Buffer.of());
      await store.put(request, Buffer.of());
      await store.put(notice, Buffer.of());
    },
  );
  const asked = { ...delivery, state: 'pending', reason: null, nextMs: clock.now() } as const;
  try {
    // The next attempt of the schedule waits under the same id, for its own time.
    await world.queue.remove('deliver', deliveryJobId({ eventId, receiverId, attempt: asked.attempts.length }));
    await queueDeliveries(world, event, [asked]);
  } catch (error) {
    // Noted all the same: the janitor queues it as soon as the queue is back.
    world.log.warn('webhook.enqueue_failed', { tenant, eventId, code: errorCode(error) });
  }
  world.log.info('webhook.replay_asked', { tenant, eventId, endpointId: receiverId });
  return toDeliveryObject(asked);
}
