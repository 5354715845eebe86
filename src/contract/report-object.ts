import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { pageLimit } from './list-query.js';
import { optional } from './sampling-fields.js';
import { lengthUpTo, valueUpTo } from './within.js';

/** What may be wrong with an answer. */
export const reportReasons = ['harmful', 'biased', 'false', 'private_data', 'copyright', 'other'] as const;

const id = z
  .string('an id is required')
  .min(1, 'an id is required')
  .check(lengthUpTo('idCharsMax', 'an id is required'));
const commentAllowed = `at most ${bounds.reportCommentCharsMax} characters are allowed`;
const lineAllowed = `1 to ${bounds.batchLinesMax} is allowed`;

/** Body of `POST /v1/reports`: which answer, and what is wrong with it. It points at the answer and holds nothing of it. */
export const createReportRequest = z
  .strictObject({
    /** The batch that the answer belongs to, with the answer's line or custom_id. */
    batch_id: optional(id),
    custom_id: optional(
      z.string().min(1, 'a custom_id is required').check(lengthUpTo('customIdCharsMax', 'a custom_id is required')),
    ),
    /** Number of the answer's line among the requests of the input, from 1; blank lines do not count. */
    line: optional(
      z.number(lineAllowed).int(lineAllowed).min(1, lineAllowed).check(valueUpTo('batchLinesMax', lineAllowed)),
    ),
    /** In place of all these: the id of an answer that was given at once, `cmpl-…` or `chatcmpl-…`. */
    completion_id: optional(
      z.string().regex(/^(chat)?cmpl-[a-z0-9]{1,64}$/, 'the id of a completion, cmpl-… or chatcmpl-…, is required'),
    ),
    reason: z.enum(reportReasons, `${reportReasons.join(', ')} are known`),
    comment: optional(z.string().check(lengthUpTo('reportCommentCharsMax', commentAllowed))),
  })
  .superRefine(({ batch_id, custom_id, line, completion_id }, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (batch_id === undefined && completion_id === undefined)
      refuse('batch_id', 'name the answer: batch_id with line or custom_id, or completion_id');
    else if (completion_id !== undefined && (batch_id ?? custom_id ?? line) !== undefined)
      refuse('completion_id', 'it names the answer by itself; leave batch_id, line and custom_id out');
    else if (batch_id !== undefined && custom_id !== undefined && line !== undefined)
      refuse('line', 'give line or custom_id, not both');
    else if (batch_id !== undefined && custom_id === undefined && line === undefined)
      refuse('line', 'give the line or the custom_id of the answer');
  })
  .meta({
    oneOf: [
      { required: ['batch_id', 'line'] },
      { required: ['batch_id', 'custom_id'] },
      { required: ['completion_id'] },
    ],
  });
export type CreateReportRequest = z.output<typeof createReportRequest>;

export const reportObject = z.object({
  id: z.string(),
  object: z.literal('report'),
  created_at: z.number().int(),
  batch_id: z.string().nullable(),
  custom_id: z.string().nullable(),
  line: z.number().int().nullable(),
  completion_id: z.string().nullable(),
  reason: z.enum(reportReasons),
  comment: z.string().nullable(),
});
export type ReportObject = z.output<typeof reportObject>;

/** report.json. Times are Unix ms. */
export const storedReport = z.object({ v: z.literal(1), createdMs: z.number(), report: reportObject });
export type StoredReport = z.output<typeof storedReport>;

export const reportsQuery = z.strictObject({
  after: z
    .string('one id is allowed')
    .min(1, 'an id is required')
    .check(lengthUpTo('idCharsMax', 'an id is required'))
    .optional(),
  limit: pageLimit('reportsPageDefault', 'reportsPageMax'),
  order: z.enum(['asc', 'desc'], 'asc and desc are allowed').default('desc'),
});

export const deletedReport = z.object({ id: z.string(), object: z.literal('report'), deleted: z.literal(true) });
