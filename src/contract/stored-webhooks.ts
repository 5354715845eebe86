import { z } from 'zod';
import { webhookEvents } from './webhook-event.js';

/** The objects behind webhooks (docs/lifecycle.md says who writes and deletes each). All times are Unix ms. */

const sealedSecret = z.object({ keyVersion: z.number(), box: z.string() });

const signingSecret = z.object({
  sealed: sealedSecret,
  createdMs: z.number(),
  /** It signs until then; null: it is the current one. */
  endsMs: z.number().nullable(),
});
export type SigningSecret = z.output<typeof signingSecret>;

/** Why an endpoint gets nothing: its owner said so, it answered 410, or nothing reached it for days. */
export const disabledReasons = ['request', 'gone', 'failing'] as const;

const revision = { v: z.literal(1), id: z.string(), revision: z.number().int() };

/** One revision of an endpoint. Each is created once and the highest counts. */
export const storedEndpoint = z.object({
  ...revision,
  deletedMs: z.null(),
  url: z.string(),
  description: z.string().nullable(),
  events: z.array(z.enum(webhookEvents)),
  /** null: it is enabled. */
  disabled: z.enum(disabledReasons).nullable(),
  /** Newest first; those that have ended are dropped with the next revision. */
  secrets: z.array(signingSecret),
  createdMs: z.number(),
  updatedMs: z.number(),
});
export type StoredEndpoint = z.output<typeof storedEndpoint>;

/** The last revision of a deleted endpoint. */
const endpointTombstone = z.object({ ...revision, deletedMs: z.number() });

export const endpointRevision = z.union([storedEndpoint, endpointTombstone]);
export type EndpointRevision = z.output<typeof endpointRevision>;

/** Who is told of an event. What an endpoint's URL and secrets are is looked up at each attempt. */
const receiver = z.discriminatedUnion('kind', [
  /** Made through the API. */
  z.object({ kind: z.literal('endpoint'), id: z.string() }),
  /** Named in the tenants file. */
  z.object({ kind: z.literal('configured'), id: z.string() }),
  /** Named by the batch itself. */
  z.object({ kind: z.literal('batch'), id: z.string(), url: z.string() }),
  /** The outbox of a bucket drop, which gets a copy of the results. */
  z.object({ kind: z.literal('outbox'), id: z.literal('outbox') }),
]);
export type Receiver = z.output<typeof receiver>;

/** An event, created once: it has happened, and these are told. */
export const storedEvent = z.object({
  v: z.literal(1),
  id: z.string(),
  tenant: z.string(),
  type: z.enum(webhookEvents),
  createdMs: z.number(),
  /** null: the event is not about a batch. */
  batchId: z.string().nullable(),
  /** The bytes that every attempt sends. */
  body: z.string(),
  receivers: z.array(receiver),
  /** `schedule`: for three days; `once`: a single attempt. */
  retry: z.enum(['schedule', 'once']),
  /** Sent by hand to try an endpoint: goes out although the endpoint is disabled. */
  test: z.boolean(),
});
export type StoredEvent = z.output<typeof storedEvent>;

const attempt = z.object({
  startedMs: z.number(),
  durationMs: z.number(),
  /** null: no answer came; then `error` says why. */
  status: z.number().nullable(),
  error: z.string().nullable(),
  /** Asked for by hand, beside the schedule. */
  replay: z.boolean(),
});
export type Attempt = z.output<typeof attempt>;

/** How far the delivery of one event to one receiver has come. Losing it causes a duplicate delivery, nothing else. */
export const storedDelivery = z.object({
  v: z.literal(1),
  eventId: z.string(),
  receiverId: z.string(),
  type: z.enum(webhookEvents),
  batchId: z.string().nullable(),
  test: z.boolean(),
  createdMs: z.number(),
  state: z.enum(['pending', 'delivered', 'failed']),
  /** Why it failed for good, in a few words; null otherwise. */
  reason: z.string().nullable(),
  attempts: z.array(attempt),
  /** Not before then is the next attempt made; null when none will be. */
  nextMs: z.number().nullable(),
});
export type StoredDelivery = z.output<typeof storedDelivery>;
