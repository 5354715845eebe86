import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { uploadPurposes } from './file-object.js';
import { lengthUpTo, type NumberBound, valueUpTo } from './within.js';

/** Query parameters are text; this one is a number. */
export function pageLimit(byDefault: NumberBound, max: NumberBound) {
  const allowed = `1 to ${bounds[max]} is allowed`;
  const limit = z.coerce.number(allowed).int(allowed).min(1, allowed);
  return limit.check(valueUpTo(max, allowed)).default(bounds[byDefault]);
}

const after = z
  .string('one id is allowed')
  .min(1, 'an id is required')
  .check(lengthUpTo('idCharsMax', 'an id is required'))
  .optional();

/** By time of creation. */
const order = z.enum(['asc', 'desc'], 'asc and desc are allowed').default('desc');

export const filesQuery = z.strictObject({
  purpose: z
    .enum([...uploadPurposes, 'batch_output'], `${uploadPurposes.join(', ')} and batch_output are known`)
    .optional(),
  after,
  limit: pageLimit('filesPageMax', 'filesPageMax'),
  order,
});

export const batchesQuery = z.strictObject({
  after,
  limit: pageLimit('batchesPageDefault', 'batchesPageMax'),
  order,
});

/** A page of a list. `last_id` is the `after` of the next page. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    object: z.literal('list'),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });

export const deletedFile = z.object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) });

export const deletedBatch = z.object({ id: z.string(), object: z.literal('batch'), deleted: z.literal(true) });
