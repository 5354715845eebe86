import { z } from 'zod';
import { endpoints } from '../domain/served-model.js';
import { plainOrder } from '../domain/shard-priority.js';
import { attemptCounts, batchError, requestCounts, shapeReport, validationMode } from './batch-object.js';

/** The objects of the durability protocol (docs/lifecycle.md says who writes and deletes each). All times are Unix ms. */

/**
 * Where a batch's input lies, and what says that its bytes are still the accepted ones; if they are not, the batch fails with
 * `input_changed`. `sha256`: the service wrote the object and knows its digest, which alone counts. Empty: the object is the user's
 * (a drop into the inbox) or the record is of an earlier version, and `etag` pins it.
 */
export const inputRef = z.object({
  key: z.string(),
  etag: z.string().nullable(),
  bytes: z.number(),
  sha256: z.string().default(''),
});
export type InputRef = z.output<typeof inputRef>;

/** A receiver that the batch itself names. Secrets are looked up by tenant when a delivery is made, never stored here. */
const webhookTarget = z.object({ id: z.string(), url: z.string() });

/** submit.json: the batch is accepted. */
export const submitObject = z.object({
  v: z.literal(1),
  batchId: z.string(),
  tenant: z.string(),
  source: z.enum(['api', 'inbox']),
  createdMs: z.number(),
  expiresMs: z.number(),
  /** null: the file is unknown, deleted or of another tenant, and the batch will fail validation. */
  input: inputRef.nullable(),
  inputFileId: z.string(),
  /** null: taken from the first line that names one (bucket drop). */
  endpoint: z.enum(endpoints).nullable(),
  validation: validationMode,
  completionWindow: z.string(),
  /** Share against other batches, and when the results are wanted, Unix ms. Absent in records of earlier versions. */
  priority: z.number().default(0),
  deadlineMs: z.number().nullable().default(null),
  /** What a million tokens cost in this batch; null: nothing is charged. */
  price: z
    .object({ currency: z.string(), input: z.number(), output: z.number(), discount: z.number() })
    .nullable()
    .default(null),
  metadata: z.record(z.string(), z.string()).nullable(),
  outputExpiresSeconds: z.number().nullable(),
  webhooks: z.array(webhookTarget),
  /** Name for the outbox copy of a bucket drop; null for API batches. */
  outboxName: z.string().nullable(),
  /** SHA-256 of the request, to tell a repeated create from another one under the same idempotency key. */
  requestHash: z.string(),
  /**
   * Set for a batch that runs failed lines of another again. `depth`: 1 for a retry, 2 for the retry of a retry. `rootId`: the batch
   * that all of these began with; absent in records of earlier versions.
   */
  retryOf: z.object({ batchId: z.string(), depth: z.number(), rootId: z.string().optional() }).optional(),
});
export type SubmitObject = z.output<typeof submitObject>;

export const plannedShard = z.object({
  n: z.number(),
  byteStart: z.number(),
  byteEnd: z.number(),
  firstLine: z.number(),
  count: z.number(),
  tokens: z.number(),
  sha256: z.string(),
  /**
   * Lenient validation: lines of this shard that are no requests, as counted index and number of the line. What is wrong with them is
   * found again where they are read, so that ten thousand of them do not make a plan large.
   */
  noRequests: z.array(z.tuple([z.number(), z.number()])).default([]),
  /** The same with all that was wrong, in plans of earlier versions; empty in those of this one. */
  rejected: z.array(batchError.extend({ index: z.number(), customId: z.string().nullable() })).default([]),
});
export type PlannedShard = z.output<typeof plannedShard>;

const workPlan = z.object({
  v: z.literal(1),
  kind: z.literal('work'),
  plannedMs: z.number(),
  endpoint: z.enum(endpoints),
  model: z.string(),
  lines: z.number(),
  /** Upper bound of the work. */
  tokens: z.number(),
  /** Prompt tokens, and the most that may be generated: what the batch may cost. null in plans of earlier versions. */
  promptTokens: z.number().nullable().default(null),
  outputTokensMost: z.number().nullable().default(null),
  /** Where its shards stand in the queue, also when they are queued again. */
  order: z.object({ start: z.number(), stride: z.number() }).default(plainOrder),
  shards: z.array(plannedShard),
});
export type WorkPlan = z.output<typeof workPlan>;

const planVerdict = z.object({
  v: z.literal(1),
  kind: z.literal('verdict'),
  plannedMs: z.number(),
  verdict: z.enum(['failed', 'cancelled', 'expired']),
  errors: z.array(batchError),
});

/** plan.json: the work is fixed, or a verdict says that there is none. */
export const planObject = z.discriminatedUnion('kind', [workPlan, planVerdict]);
export type PlanObject = z.output<typeof planObject>;

/** What is asked of a plan without what its shards hold: the tokens of each, by its number. */
export const workHead = workPlan.omit({ shards: true }).extend({ shardTokens: z.array(z.number()) });
export type WorkHead = z.output<typeof workHead>;
export type PlanHead = WorkHead | z.output<typeof planVerdict>;

/** retry/{file}.json of a batch that is a retry: which line of the other batch each line of its input is, by counted index. */
/** A place among the children of a batch, held by one of them. */
export const retryPlace = z.object({ v: z.literal(1), childId: z.string() });

export const retryLines = z.object({ v: z.literal(1), lines: z.array(z.number()) });

/** cancel.json: a cancel was asked for. */
export const cancelObject = z.object({ v: z.literal(1), requestedMs: z.number() });
export type CancelObject = z.output<typeof cancelObject>;

/**
 * attempts/…: an attempt that gave no results. What it was at, and why it failed, stands in its key. Of a range of a shard it is
 * written when the attempt begins, without a code, and removed when that has ended.
 */
export const attemptNote = z.object({ v: z.literal(1), ms: z.number(), worker: z.string() });
export type AttemptNote = z.output<typeof attemptNote>;

/** Lines that were never carried out, by the code of their error. */
const givenUpLines = z.record(z.string(), z.number()).default({});

/**
 * First line of a part. The lines behind it are JSON arrays `["o",LINE]` or `["e",LINE]`, one per line of the shard in its
 * order: LINE goes to the output or the error file byte for byte.
 */
export const partHeader = z.object({
  v: z.literal(1),
  shard: z.number(),
  /** null: all lines ran; else what the unfinished ones were given up for. */
  verdict: z.enum(['failed', 'cancelled', 'expired']).nullable(),
  count: z.number(),
  completed: z.number(),
  failed: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  givenUp: givenUpLines,
  shapes: shapeReport,
  worker: z.string(),
  startedMs: z.number(),
  finishedMs: z.number(),
});
export type PartHeader = z.output<typeof partHeader>;

/** SHA-256 of each piece of a content, in order: pieces of `bytes` each, the last one shorter. Lets a range be verified alone. */
export const fileChunks = z.object({ bytes: z.number(), sha256: z.array(z.string()) });
export type FileChunks = z.output<typeof fileChunks>;

export const storedFile = z.object({
  v: z.literal(1),
  id: z.string(),
  bytes: z.number(),
  /** Of what the service itself wrote: it is verified by this where it is read, whatever its ETag. Empty for a drop into the inbox. */
  sha256: z.string(),
  /** Absent for a content of one piece, and in records of earlier versions. */
  chunks: fileChunks.optional(),
  filename: z.string(),
  purpose: z.enum(['batch', 'user_data', 'batch_output']),
  createdMs: z.number(),
  expiresMs: z.number().nullable(),
  contentKey: z.string(),
  /** Pins the bytes of a drop, which are the user's; null where `sha256` does. Records of earlier versions have both. */
  etag: z.string().nullable(),
  /**
   * Set for files that the service made for a batch: output and error files are shown once its manifest names them, the input of
   * a retry once its submit.json does.
   */
  batchId: z.string().nullable(),
});
export type StoredFile = z.output<typeof storedFile>;

/** deleted.json: the file answers 404 from now on. `listedMs`, its place in the index, keeps it usable as a cursor of lists. */
export const fileTombstone = z.object({ v: z.literal(1), deletedMs: z.number(), listedMs: z.number() });
export type FileTombstone = z.output<typeof fileTombstone>;

/** deleted.json of a batch: it answers 404 from now on. It stays for good, so that its id is never used again. */
export const batchTombstone = fileTombstone;

const manifestFile = z.object({
  fileId: z.string(),
  key: z.string(),
  bytes: z.number(),
  lines: z.number(),
  sha256: z.string(),
});

/** manifest.json: the batch has ended. */
export const manifestObject = z.object({
  v: z.literal(1),
  batchId: z.string(),
  state: z.enum(['completed', 'failed', 'expired', 'cancelled']),
  finishedMs: z.number(),
  finalizingMs: z.number(),
  /** Wall time from the first shard's start to the last one's end; 0 when nothing ran. */
  generatingMs: z.number(),
  counts: requestCounts,
  /** Why the batch failed although it was planned: what could not be done, and what can be done about it. */
  reasons: z.array(batchError).default([]),
  givenUp: givenUpLines,
  /** What it took beside the attempts that succeeded. */
  attempts: attemptCounts.default({ workers_lost: 0, failed: 0 }),
  output: manifestFile.nullable(),
  errors: manifestFile.nullable(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  shapes: shapeReport,
  eventId: z.string(),
});
export type ManifestObject = z.output<typeof manifestObject>;
