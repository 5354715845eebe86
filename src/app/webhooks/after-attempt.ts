import type { Attempt, StoredDelivery, StoredEvent } from '../../contract/stored-webhooks.js';
import { retryDelayMs } from '../../domain/webhook-schedule.js';
import type { WebhookAnswer } from '../../ports/webhook-sender.js';

const retryAfterMsMax = 3600 * 1000;

export const succeeded = ({ status }: Pick<Attempt, 'status'>): boolean =>
  status !== null && status >= 200 && status < 300;

/** The receiver says that it is gone for good. */
export const isGone = ({ status }: Pick<Attempt, 'status'>): boolean => status === 410;

const replaysMade = ({ attempts }: StoredDelivery): number => attempts.filter(({ replay }) => replay).length;

/**
 * What a delivery becomes after an answer: delivered, failed for good, or pending with the time of the next attempt. An attempt by
 * hand takes no place of the schedule.
 */
export function afterAttempt(
  event: Pick<StoredEvent, 'retry'>,
  delivery: StoredDelivery,
  attempt: Attempt,
  retryAfterMs: WebhookAnswer['retryAfterMs'],
): StoredDelivery {
  const after: StoredDelivery = { ...delivery, attempts: [...delivery.attempts, attempt] };
  const endedMs = attempt.startedMs + attempt.durationMs;
  if (succeeded(attempt)) return { ...after, state: 'delivered', reason: null, nextMs: null };
  if (isGone(attempt)) return failed(after, 'the endpoint answered 410 Gone');
  if (event.retry === 'once') return failed(after, 'not taken, and tried once only');
  const scheduled = after.attempts.length - replaysMade(after);
  const delay = retryDelayMs(`${delivery.eventId} ${delivery.receiverId}`, scheduled);
  if (delay === null) return failed(after, 'not taken in three days');
  const nextMs = endedMs + Math.max(delay, Math.min(retryAfterMs ?? 0, retryAfterMsMax));
  return { ...after, state: 'pending', reason: null, nextMs };
}

/** Nothing will be sent any more, unless by hand. */
export const failed = (delivery: StoredDelivery, reason: string): StoredDelivery => ({
  ...delivery,
  state: 'failed',
  reason,
  nextMs: null,
});
