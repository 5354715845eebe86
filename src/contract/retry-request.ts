import { z } from 'zod';
import { errorKinds, isErrorCode } from '../domain/errors.js';
import { optional } from './sampling-fields.js';

const codesMax = Object.keys(errorKinds).length;
const allowed = '"retriable", "all" or a list of error codes of lines is allowed';

/** Body of `POST /v1/batches/{batch_id}/retry_failed`; may be left out. */
export const retryRequest = z.strictObject({
  /** Which failed lines are run again; by default those that were not refused for what they say. */
  include: optional(
    z.union(
      [
        z.enum(['retriable', 'all'], allowed),
        z
          .array(z.string().refine(isErrorCode, 'an error code is required'), allowed)
          .min(1, 'at least one error code is required')
          .max(codesMax, 'each error code may be named once'),
      ],
      allowed,
    ),
  ),
});
export type RetryRequest = z.output<typeof retryRequest>;
