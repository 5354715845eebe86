import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { pageLimit } from './list-query.js';
import { optional } from './sampling-fields.js';
import { disabledReasons } from './stored-webhooks.js';
import { terminalEvents, webhookEvents } from './webhook-event.js';
import { lengthUpTo, valueUpTo } from './within.js';

const urlAllowed = `an http(s) URL of at most ${bounds.webhookUrlCharsMax} characters is required`;
const url = z.url(urlAllowed).check(lengthUpTo('webhookUrlCharsMax', urlAllowed));

const eventsAllowed = `valid events are ${webhookEvents.join(', ')}`;
const events = z
  .array(z.enum(webhookEvents, eventsAllowed), `a list of events is required; ${eventsAllowed}`)
  .min(1, `at least one event is required; ${eventsAllowed}`)
  .max(webhookEvents.length, 'each event may be named once')
  .refine((named) => new Set(named).size === named.length, 'each event may be named once')
  .meta({ uniqueItems: true });

const descriptionAllowed = `at most ${bounds.webhookDescriptionCharsMax} characters without control characters are allowed`;
const description = z
  .string(descriptionAllowed)
  .check(lengthUpTo('webhookDescriptionCharsMax', descriptionAllowed))
  // No \p: other languages' readers of the API document lack it.
  // oxlint-disable-next-line no-control-regex
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, descriptionAllowed);

/** Body of `POST /v1/webhook_endpoints`. */
export const createWebhookEndpointRequest = z.strictObject({
  /** Where events are posted: https, port 443, a public address. */
  url,
  /** Absent: the four that tell the end of a batch. */
  events: events.default([...terminalEvents]),
  description: optional(description),
  enabled: z.boolean('true and false are allowed').default(true),
});
export type CreateWebhookEndpointRequest = z.output<typeof createWebhookEndpointRequest>;

/** Body of `POST /v1/webhook_endpoints/{id}`: what is absent stays as it is. */
export const updateWebhookEndpointRequest = z.strictObject({
  url: url.optional(),
  events: events.optional(),
  /** null or "": none. */
  description: description.nullable().optional(),
  /** true also after the service has disabled the endpoint. */
  enabled: z.boolean('true and false are allowed').optional(),
});
export type UpdateWebhookEndpointRequest = z.output<typeof updateWebhookEndpointRequest>;

const overlapAllowed = `0 to ${bounds.webhookSecretOverlapSecondsMax} is allowed`;

/** Body of `POST /v1/webhook_endpoints/{id}/rotate_secret`; may be left out. */
export const rotateSecretRequest = z.strictObject({
  /** Seconds for which the previous secret signs too; 0 for one that has leaked. */
  previous_expires_after: z
    .number(overlapAllowed)
    .int(overlapAllowed)
    .min(0, overlapAllowed)
    .check(valueUpTo('webhookSecretOverlapSecondsMax', overlapAllowed))
    .default(bounds.webhookSecretOverlapSeconds),
});

/** Body of `POST /v1/webhook_endpoints/{id}/test`; may be left out. */
export const testWebhookRequest = z.strictObject({
  /** Of which event a sample is sent. */
  type: z.enum(webhookEvents, eventsAllowed).default('batch.completed'),
});

const cursor = z
  .string('one id is allowed')
  .min(1, 'an id is required')
  .check(lengthUpTo('idCharsMax', 'an id is required'))
  .optional();
export const webhookEndpointsQuery = z.strictObject({
  after: cursor,
  limit: pageLimit('webhookPageDefault', 'webhookPageMax'),
});
export const deliveriesQuery = webhookEndpointsQuery;

/** An endpoint as its owner sees it: never with its secret. Times are Unix seconds. */
export const webhookEndpointObject = z.object({
  id: z.string(),
  object: z.literal('webhook_endpoint'),
  url: z.string(),
  description: z.string().nullable(),
  events: z.array(z.enum(webhookEvents)),
  enabled: z.boolean(),
  /** `request`: by its owner; `gone`: it answered 410; `failing`: nothing reached it for days; null: it is enabled. */
  disabled_reason: z.enum(disabledReasons).nullable(),
  /** Until then an earlier secret signs beside the current one; null: only the current one signs. */
  previous_secret_expires_at: z.number().int().nullable(),
  created_at: z.number().int(),
  updated_at: z.number().int(),
});
export type WebhookEndpointObject = z.output<typeof webhookEndpointObject>;

/** The answers to creation and rotation are the only ones that hold the secret. */
export const newWebhookEndpointObject = webhookEndpointObject.extend({ secret: z.string() });
export type NewWebhookEndpointObject = z.output<typeof newWebhookEndpointObject>;

export const deletedWebhookEndpoint = z.object({
  id: z.string(),
  object: z.literal('webhook_endpoint'),
  deleted: z.literal(true),
});

const outcome = {
  /** HTTP status of the answer; null: none came. */
  status: z.number().int().nullable(),
  /** How long the attempt took. */
  ms: z.number().int().nullable(),
  /** Why no answer came. */
  error: z.string().nullable(),
};

/** One event on its way to one endpoint. Times are Unix seconds. */
export const webhookDeliveryObject = z.object({
  /** The event's id, which is the `webhook-id` of every attempt. */
  id: z.string(),
  object: z.literal('webhook_delivery'),
  endpoint_id: z.string(),
  type: z.enum(webhookEvents),
  batch_id: z.string().nullable(),
  test: z.boolean(),
  state: z.enum(['pending', 'delivered', 'failed']),
  /** Why it failed for good. */
  reason: z.string().nullable(),
  /** Of the last attempt; null before the first. */
  ...outcome,
  attempts: z.array(z.object({ at: z.number().int(), ...outcome, replay: z.boolean() })),
  next_attempt_at: z.number().int().nullable(),
  created_at: z.number().int(),
});
export type WebhookDeliveryObject = z.output<typeof webhookDeliveryObject>;

/** With the body that is sent, as text: it is signed byte for byte. */
export const webhookDeliveryWithBody = webhookDeliveryObject.extend({ body: z.string() });
export type WebhookDeliveryWithBody = z.output<typeof webhookDeliveryWithBody>;
