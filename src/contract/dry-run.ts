import { z } from 'zod';
import { batchError, requestCounts } from './batch-object.js';

/** Answer of a create call with `eyrie.dry_run`: what the batch would be. Nothing was created. */
export const dryRunObject = z.object({
  object: z.literal('batch.dry_run'),
  endpoint: z.string().nullable(),
  model: z.string(),
  input_file_id: z.string().nullable(),
  completion_window: z.string(),
  /** The first bad lines in line order: those that are no requests, and those whose body is wrong. */
  errors: z.object({ object: z.literal('list'), data: z.array(batchError) }).nullable(),
  /** `failed`: lines that would end in the error file. */
  request_counts: requestCounts,
  eyrie: z.object({
    /** false: the batch would fail validation. */
    valid: z.boolean(),
    /** false: the time for a dry run was over before the end of the input; all figures are those of the lines read. */
    complete: z.boolean(),
    lines: z.number().int(),
    bad_lines: z.number().int(),
    tokens: z.object({
      input: z.number().int(),
      /** If every line generates all it may. */
      output_most: z.number().int(),
    }),
    shards: z.number().int(),
    /** On one worker, from the engine's scheduling rules; null for an input with too many sequences, or without any. */
    padding: z
      .object({
        slots: z.number().int(),
        prefill_tokens: z.number().int(),
        idle_slot_steps: z.number(),
        /** Idle slot-steps over all token rows, 0 to 1. */
        share: z.number(),
      })
      .nullable(),
    time: z
      .object({
        tokens_per_second: z.number(),
        /** Workers that run now. */
        workers: z.number().int(),
        /** `measured` by them, or `last_known` from a worker that has ended. */
        basis: z.enum(['measured', 'last_known']),
        /** Of this batch's own lines, and of the work that goes before its last line. */
        seconds: z.number(),
        queue_seconds: z.number(),
      })
      .nullable(),
    /** Why `time` is null. */
    time_unknown: z.string().nullable(),
    /** If it were created now. */
    estimated_completion_at: z.number().int().nullable(),
    at_risk: z.boolean().nullable(),
    cost: z.object({ currency: z.string(), estimated: z.number() }).nullable(),
  }),
});
export type DryRunObject = z.output<typeof dryRunObject>;
