import { z } from 'zod';
import { pageLimit } from './list-query.js';
import { lengthUpTo } from './within.js';

/** Query of `GET /v1/batches/{batch_id}/results`. */
export const resultsQuery = z.strictObject({
  after: z
    .string('one cursor is allowed')
    .min(1, 'a cursor is required')
    .check(lengthUpTo('cursorCharsMax', 'a cursor is required'))
    .optional(),
  limit: pageLimit('resultsPageDefault', 'resultsPageMax'),
  /** Put the results of batches that ran failed lines of this one again in the place of these lines. */
  merge: z
    .enum(['true', 'false'], 'true and false are allowed')
    .default('false')
    .transform((merge) => merge === 'true'),
});

/** Lines of the output and the error file together, in input order, as far as they are decided without a gap. */
export const resultsPage = z.object({
  object: z.literal('batch.results'),
  batch_id: z.string(),
  /** The lines as they stand, or will stand, in the files. */
  data: z.array(z.looseObject({ id: z.string(), custom_id: z.string().nullable() })),
  /** The `after` of the next page; null once all lines of an ended batch have been read. */
  next: z.string().nullable(),
  /** An empty page of an incomplete batch means: later. */
  complete: z.boolean(),
});
