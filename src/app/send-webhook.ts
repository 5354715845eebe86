import { deliveryJob } from '../contract/queue-payload.js';
import type { DeliveryObject, ManifestObject, SubmitObject } from '../contract/stored-objects.js';
import { webhookType, type WebhookEvent } from '../contract/webhook-event.js';
import { bounds } from '../domain/bounds.js';
import { webhookHeaders } from '../domain/webhook-signature.js';
import type { RunningJob } from '../ports/job-queue.js';
import type { WebhookAnswer, WebhookSender } from '../ports/webhook-sender.js';
import { findManifest, loadSubmit } from './batch-records.js';
import { copyToOutbox } from './copy-to-outbox.js';
import { loadDelivery, outboxEndpoint, recordDelivery } from './deliveries.js';
import { deliveryJobOf } from './jobs.js';
import type { World } from './world.js';

export type Notifier = World & { readonly sender: WebhookSender };

/** The event of a batch's end: a pure function of what is stored, so every attempt sends the same bytes. */
export function toEvent(submit: SubmitObject, manifest: ManifestObject): WebhookEvent {
  return {
    id: manifest.eventId,
    object: 'event',
    type: webhookType(manifest.state),
    created_at: Math.floor(manifest.finishedMs / 1000),
    data: {
      id: submit.batchId,
      status: manifest.state,
      request_counts: manifest.counts,
      input_file_id: submit.inputFileId,
      output_file_id: manifest.output?.fileId ?? null,
      error_file_id: manifest.errors?.fileId ?? null,
      metadata: submit.metadata,
    },
  };
}

const succeeded = ({ status }: WebhookAnswer): boolean => status !== null && status >= 200 && status < 300;
/** The receiver says that it is gone for good. */
const isGone = ({ status }: WebhookAnswer): boolean => status === 410;
const retryAfterMsMax = 3600 * 1000;

/** What the delivery becomes after an answer: delivered, given up, or pending with the time of the next attempt. */
export function afterAttempt(delivery: DeliveryObject, answer: WebhookAnswer, nowMs: number): DeliveryObject {
  const attempts = [...delivery.attempts, { ms: nowMs, status: answer.status, error: answer.error }];
  if (succeeded(answer)) return { v: 1, state: 'delivered', attempts, nextMs: null };
  const delay = bounds.webhookRetryDelaysMs[attempts.length];
  if (delay === undefined || isGone(answer)) return { v: 1, state: 'gave_up', attempts, nextMs: null };
  const nextMs = nowMs + Math.max(delay, Math.min(answer.retryAfterMs ?? 0, retryAfterMsMax));
  return { v: 1, state: 'pending', attempts, nextMs };
}

/**
 * One attempt to tell one receiver of a batch's end. A failure is recorded and the next attempt queued with its delay, for three
 * days; the event's id is the same on every attempt.
 */
export async function sendWebhook(world: Notifier, job: RunningJob): Promise<void> {
  const { tenant, batchId, endpointId } = deliveryJob.parse(job.payload);
  const [submit, manifest] = await Promise.all([
    loadSubmit(world.store, tenant, batchId),
    findManifest(world.store, tenant, batchId),
  ]);
  if (!manifest) return;
  const delivery = await loadDelivery(world, submit, manifest, endpointId);
  if (delivery.state !== 'pending') return;
  if (endpointId === outboxEndpoint) {
    await copyToOutbox(world, submit, manifest);
    await recordDelivery(
      world,
      submit,
      manifest,
      endpointId,
      afterAttempt(delivery, { status: 200, error: null, retryAfterMs: null }, world.clock.now()),
    );
    return;
  }
  const target = submit.webhooks.find(({ id }) => id === endpointId);
  if (!target) return;
  const body = JSON.stringify(toEvent(submit, manifest));
  const secrets = await world.tenants.signingSecrets(tenant);
  const headers = webhookHeaders(manifest.eventId, Math.floor(world.clock.now() / 1000), body, secrets);
  const answer = await world.sender.post({ url: target.url, headers, body, timeoutMs: bounds.webhookTimeoutMs });
  const after = afterAttempt(delivery, answer, world.clock.now());
  await recordDelivery(world, submit, manifest, endpointId, after);
  world.log.info(`webhook.${after.state === 'pending' ? 'will_retry' : after.state}`, {
    tenant,
    batchId,
    endpointId,
    attempt: after.attempts.length,
    status: answer.status,
    error: answer.error,
  });
  if (after.nextMs !== null)
    await world.queue.add('deliver', [
      deliveryJobOf(submit, endpointId, after.attempts.length, Math.max(0, after.nextMs - world.clock.now())),
    ]);
}
