import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { scopes } from '../domain/scopes.js';
import { pageLimit } from './list-query.js';
import { optional } from './sampling-fields.js';
import { lengthUpTo, valueFrom, valueUpTo } from './within.js';

const nameAllowed = `1 to ${bounds.keyNameCharsMax} characters without control characters are allowed`;
const secondsAllowed = `${bounds.keySecondsMin} to ${bounds.keySecondsMax} is allowed`;

/** Body of `POST /v1/admin/keys`. The key belongs to the caller's tenant. */
export const createKeyRequest = z.strictObject({
  /** What the key is for, in the words of its owner. */
  name: z
    .string(nameAllowed)
    .min(1, nameAllowed)
    .check(lengthUpTo('keyNameCharsMax', nameAllowed))
    // No \p: other languages' readers of the API document lack it.
    // oxlint-disable-next-line no-control-regex
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, nameAllowed),
  scopes: z
    .array(z.enum(scopes, `${scopes.join(', ')} are known`), 'a list of scopes is required')
    .min(1, 'at least one scope is required')
    .max(scopes.length, 'each scope may be named once')
    .refine((named) => new Set(named).size === named.length, 'each scope may be named once'),
  /** Seconds until the key is refused; absent: it stays until it is revoked. */
  expires_after: optional(
    z
      .number(secondsAllowed)
      .int(secondsAllowed)
      .check(valueFrom('keySecondsMin', secondsAllowed))
      .check(valueUpTo('keySecondsMax', secondsAllowed)),
  ),
});

export const keysQuery = z.strictObject({
  after: z
    .string('one id is allowed')
    .min(1, 'an id is required')
    .check(lengthUpTo('idCharsMax', 'an id is required'))
    .optional(),
  limit: pageLimit('keysPageMax', 'keysPageMax'),
});

/** A key as its owner sees it: never with its secret. Times are Unix seconds. */
export const apiKeyObject = z.object({
  id: z.string(),
  object: z.literal('api_key'),
  name: z.string(),
  /** How the key's text begins. */
  prefix: z.string(),
  scopes: z.array(z.enum(scopes)),
  created_at: z.number().int(),
  /** Of the last hour or so in which it was used; null: not yet. */
  last_used_at: z.number().int().nullable(),
  expires_at: z.number().int().nullable(),
  revoked_at: z.number().int().nullable(),
});
export type ApiKeyObject = z.output<typeof apiKeyObject>;

/** The answer to the creation is the only one that holds the key itself. */
export const newApiKeyObject = apiKeyObject.extend({ key: z.string() });
export type NewApiKeyObject = z.output<typeof newApiKeyObject>;
