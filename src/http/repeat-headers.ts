import { z } from 'zod';
import { lengthUpTo } from '../contract/within.js';
import { bounds } from '../domain/bounds.js';
import { retryHeader, toRetryCount } from './retry-count.js';

const keyLength = `1 to ${bounds.idempotencyKeyCharsMax} characters are allowed`;

/** What tells a repeated call from a new one, for calls that make a batch. */
export const repeatHeaders = z.object({
  /** A repeat with the same key and body gives the same batch. */
  'Idempotency-Key': z.string().min(1, keyLength).check(lengthUpTo('idempotencyKeyCharsMax', keyLength)).optional(),
  ...retryHeader,
});

export const toRepeat = (
  headers: z.output<typeof repeatHeaders>,
): { readonly idempotencyKey: string | null; readonly retryCount: number } => ({
  idempotencyKey: headers['Idempotency-Key'] ?? null,
  retryCount: toRetryCount(headers['X-Stainless-Retry-Count']),
});
