import { z } from 'zod';
import { batchStates } from '../domain/batch-state.js';
import { bounds } from '../domain/bounds.js';
import { boundedRecord } from './bounded.js';
import { lengthUpTo, valueFrom, valueUpTo } from './within.js';

export const metadata = boundedRecord(
  z.string().check(lengthUpTo('metadataKeyCharsMax')),
  z
    .string('a string is required')
    .check(lengthUpTo('metadataValueCharsMax', `values have at most ${bounds.metadataValueCharsMax} characters`)),
  {
    max: 'metadataPairsMax',
    tooMany: `at most ${bounds.metadataPairsMax} pairs are allowed`,
    wrongName: `keys have at most ${bounds.metadataKeyCharsMax} characters`,
  },
);

export const expiresAfter = z.strictObject({
  anchor: z.literal('created_at', 'only "created_at" is allowed'),
  seconds: z.coerce
    .number()
    .int()
    .check(
      valueFrom(
        'expiresAfterSecondsMin',
        `${bounds.expiresAfterSecondsMin} to ${bounds.expiresAfterSecondsMax} is allowed`,
      ),
    )
    .check(
      valueUpTo(
        'expiresAfterSecondsMax',
        `${bounds.expiresAfterSecondsMin} to ${bounds.expiresAfterSecondsMax} is allowed`,
      ),
    ),
});

/** `strict`: a line that is no request fails the whole batch (OpenAI's rule); `lenient`: it becomes a line of the error file. */
export const validationMode = z.enum(['strict', 'lenient']);
export type ValidationMode = z.output<typeof validationMode>;

export const batchError = z.object({
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
  line: z.number().int().nullable(),
});
export type BatchError = z.output<typeof batchError>;

export const requestCounts = z.object({ total: z.number(), completed: z.number(), failed: z.number() });
export type RequestCounts = z.output<typeof requestCounts>;

export const batchUsage = z.object({
  input_tokens: z.number(),
  input_tokens_details: z.object({ cached_tokens: z.number() }),
  output_tokens: z.number(),
  output_tokens_details: z.object({ reasoning_tokens: z.number() }),
  total_tokens: z.number(),
});

const time = z.number().int().nullable();

/** Eyrie's own part of a batch: where its padding went. All counts are tokens or slot-steps summed over the batch's shards. */
export const shapeReport = z.object({
  useful_tokens: z.number(),
  padded_prefill_tokens: z.number(),
  idle_slot_steps: z.number(),
  overrun_tokens: z.number(),
});
export type ShapeReport = z.output<typeof shapeReport>;

/** Attempts that gave no results: how often a shard (or a step of control) lost its process, and how many attempts failed. */
export const attemptCounts = z.object({ workers_lost: z.number().int(), failed: z.number().int() });
export type AttemptCounts = z.output<typeof attemptCounts>;

export const batchObject = z.object({
  id: z.string(),
  object: z.literal('batch'),
  endpoint: z.string(),
  model: z.string().nullable(),
  errors: z.object({ object: z.literal('list'), data: z.array(batchError) }).nullable(),
  input_file_id: z.string(),
  completion_window: z.string(),
  status: z.enum(batchStates),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  created_at: z.number().int(),
  in_progress_at: time,
  expires_at: time,
  finalizing_at: time,
  completed_at: time,
  failed_at: time,
  expired_at: time,
  cancelling_at: time,
  cancelled_at: time,
  request_counts: requestCounts,
  usage: batchUsage.nullable(),
  metadata: z.record(z.string(), z.string()).nullable(),
  eyrie: z.object({
    source: z.enum(['api', 'inbox']),
    /** The batch whose failed lines this one runs again. */
    parent_batch_id: z.string().nullable(),
    /** Batches that run failed lines of this one again, oldest first. */
    child_batch_ids: z.array(z.string()),
    shapes: shapeReport.nullable(),
    attempts: attemptCounts,
    /** Lines that were never carried out, by the code of their error. */
    given_up: z.record(z.string(), z.number().int()),
    /** Useful tokens per second of wall time while shards ran; null before the end. */
    tokens_per_second: z.number().nullable(),
    /** Share against other batches; each step up doubles it. */
    priority: z.number().int(),
    /** When the results are wanted, Unix seconds. */
    deadline: time,
    /** While the batch is in progress; null when nothing can be said: no worker has told its speed. */
    estimated_completion_at: time,
    /** Whether that is later than the deadline, or than the end of the window where there is none; null when it is not known. */
    at_risk: z.boolean().nullable(),
    /** null: the operator names no price. Amounts in units of the currency. */
    cost: z
      .object({
        currency: z.string(),
        /** If every line generates all it may; null until the input is validated. */
        estimated: z.number().nullable(),
        /** Of what was generated; lines that failed cost nothing. null before the end. */
        final: z.number().nullable(),
      })
      .nullable(),
  }),
});
export type BatchObject = z.output<typeof batchObject>;
