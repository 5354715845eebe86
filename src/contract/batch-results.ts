import { z } from 'zod';
import { bounds } from '../domain/bounds.js';

/** Query of `GET /v1/batches/{batch_id}/results`. */
export const resultsQuery = z.strictObject({
  after: z.string('one cursor is allowed').min(1, 'a cursor is required').max(256, 'a cursor is required').optional(),
  limit: z
    .string()
    .regex(/^\d{1,6}$/, `1 to ${bounds.resultsPageMax} is allowed`)
    .transform(Number)
    .refine((value) => value >= 1 && value <= bounds.resultsPageMax, `1 to ${bounds.resultsPageMax} is allowed`)
    .default(bounds.resultsPageDefault),
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
