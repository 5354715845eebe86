import type { WebhookEvent } from '../../contract/webhook-event.js';
import { errorCode, type ErrorCode } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import type { ObjectInfo } from '../../ports/object-store.js';
import type { World } from '../world.js';
import { endpointsFor } from './choose-receivers.js';
import { publishEvent, queueFirstAttempts } from './publish-event.js';

export interface Rejection {
  readonly dropId: string;
  readonly object: ObjectInfo;
  readonly code: ErrorCode;
  readonly message: string;
  readonly rejectedKey: string;
}

/**
 * Publishes that a dropped object became no batch. Doing it again is the same event: its id
 * follows from the object's version, and the first publication stands.
 */
export async function publishRejection(world: World, tenant: string, rejection: Rejection): Promise<void> {
  const { dropId, object, code, message, rejectedKey } = rejection;
  const receivers = await endpointsFor(world, tenant, 'inbox.rejected');
  if (receivers.length === 0) return;
  const createdMs = world.clock.now();
  const event: WebhookEvent = {
    id: derivedId('event', world.idSecret, tenant, dropId, 'rejected'),
    object: 'event',
    type: 'inbox.rejected',
    created_at: Math.floor(createdMs / 1000),
    data: {
      id: dropId,
      key: object.key,
      etag: object.etag,
      bytes: object.bytes,
      code,
      message,
      rejected_key: rejectedKey,
    },
  };
  const published = await publishEvent(world, {
    tenant,
    event,
    createdMs,
    batchId: null,
    receivers,
    retry: 'schedule',
  });
  if (!published) return;
  try {
    await queueFirstAttempts(world, published);
  } catch (cause) {
    // Noted all the same: the janitor queues it as soon as the queue is back.
    world.log.warn('webhook.enqueue_failed', { tenant, eventId: published.id, code: errorCode(cause) });
  }
}
