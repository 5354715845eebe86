import { z } from 'zod';
import type { TerminalState } from '../domain/batch-state.js';
import { requestCounts } from './batch-object.js';

export const webhookTypes = ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'] as const;

/** Body of a webhook: ids and counts, never prompts or answers. Signed as Standard Webhooks says; under 20 kB. */
export const webhookEvent = z.object({
  id: z.string(),
  object: z.literal('event'),
  type: z.enum(webhookTypes),
  created_at: z.number().int(),
  data: z.object({
    id: z.string(),
    status: z.string(),
    request_counts: requestCounts,
    input_file_id: z.string(),
    output_file_id: z.string().nullable(),
    error_file_id: z.string().nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
  }),
});
export type WebhookEvent = z.output<typeof webhookEvent>;

export const webhookType = (state: TerminalState): WebhookEvent['type'] => `batch.${state}`;
