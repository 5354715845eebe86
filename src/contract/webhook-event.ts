import { z } from 'zod';
import type { TerminalState } from '../domain/batch-state.js';
import { batchError, batchUsage, requestCounts } from './batch-object.js';

/** What an endpoint hears of unless it says otherwise. Official clients know these types. */
export const terminalEvents = ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'] as const;
/** Only for endpoints that name them. */
export const optInEvents = ['batch.progress', 'batch.at_risk', 'inbox.rejected'] as const;
export const webhookEvents = [...terminalEvents, ...optInEvents] as const;
export type WebhookEventType = (typeof webhookEvents)[number];

const envelope = { id: z.string(), object: z.literal('event'), created_at: z.number().int() };
/** Set in the events that `POST /v1/webhook_endpoints/{id}/test` sends. */
const test = z.literal(true).optional();

const batchEnded = z.object({
  id: z.string(),
  status: z.enum(['completed', 'failed', 'expired', 'cancelled']),
  request_counts: requestCounts,
  usage: batchUsage.nullable(),
  input_file_id: z.string(),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  /** The first errors of a failed validation, and how many the batch object lists; absent when there are none. */
  errors: z.array(batchError).optional(),
  errors_total: z.number().int().optional(),
  /** null also when it is too large for a webhook. */
  metadata: z.record(z.string(), z.string()).nullable(),
  /** The batch whose failed lines this one ran again; absent when it is no retry. */
  parent_batch_id: z.string().optional(),
  test,
});
export type BatchEnded = z.output<typeof batchEnded>;

const batchProgress = z.object({ id: z.string(), status: z.string(), request_counts: requestCounts, test });

const batchAtRisk = z.object({
  id: z.string(),
  /** When it is expected to end, Unix seconds: later than the deadline, or than the end of the window where there is none. */
  estimated_completion_at: z.number().int(),
  deadline: z.number().int().nullable(),
  expires_at: z.number().int(),
  test,
});

const inboxRejected = z.object({
  /** The rejection's own id. */
  id: z.string(),
  key: z.string(),
  etag: z.string(),
  bytes: z.number(),
  code: z.string(),
  message: z.string(),
  /** Key of the object in the outbox that says the same. */
  rejected_key: z.string(),
  test,
});

/** Body of a webhook: ids and counts, never prompts or answers. Signed as Standard Webhooks says; under 20 kB. */
export const webhookEvent = z.discriminatedUnion('type', [
  z.object({ ...envelope, type: z.enum(terminalEvents), data: batchEnded }),
  z.object({ ...envelope, type: z.literal('batch.progress'), data: batchProgress }),
  z.object({ ...envelope, type: z.literal('batch.at_risk'), data: batchAtRisk }),
  z.object({ ...envelope, type: z.literal('inbox.rejected'), data: inboxRejected }),
]);
export type WebhookEvent = z.output<typeof webhookEvent>;

export const terminalEvent = (state: TerminalState): (typeof terminalEvents)[number] => `batch.${state}`;
