import type { StoredDelivery } from '../../contract/stored-webhooks.js';
import type { WebhookDeliveryObject } from '../../contract/webhook-endpoint-object.js';

const toSeconds = (ms: number): number => Math.floor(ms / 1000);

export function toDeliveryObject(delivery: StoredDelivery): WebhookDeliveryObject {
  const last = delivery.attempts.at(-1);
  return {
    id: delivery.eventId,
    object: 'webhook_delivery',
    endpoint_id: delivery.receiverId,
    type: delivery.type,
    batch_id: delivery.batchId,
    test: delivery.test,
    state: delivery.state,
    reason: delivery.reason,
    status: last?.status ?? null,
    ms: last?.durationMs ?? null,
    error: last?.error ?? null,
    attempts: delivery.attempts.map(({ startedMs, durationMs, status, error, replay }) => ({
      at: toSeconds(startedMs),
      status,
      ms: durationMs,
      error,
      replay,
    })),
    next_attempt_at: delivery.nextMs === null ? null : toSeconds(delivery.nextMs),
    created_at: toSeconds(delivery.createdMs),
  };
}
