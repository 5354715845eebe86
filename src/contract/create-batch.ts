import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { InlineRequests } from '../domain/inline/inline-requests.js';
import { endpoints } from '../domain/served-model.js';
import { expiresAfter, metadata, validationMode } from './batch-object.js';
import { readBy, refuse as refuseInput } from './bounded.js';
import { optional } from './sampling-fields.js';
import { lengthUpTo, valueFrom, valueUpTo } from './within.js';

/** As documents show them. */
const listOfRequests = z.array(z.looseObject({})).min(1).check(lengthUpTo('batchLinesMax'));

/**
 * Requests in place of a file: lines as in a batch file, or in the words of other services (docs/api.md). Whoever reads the body
 * leaves them as they came, so only their number and kind are checked here.
 */
const inlineRequests = readBy(listOfRequests, (payload) => {
  const { value } = payload;
  const wrong = (issue: Record<string, unknown>) => refuseInput(listOfRequests, payload, issue);
  if (!(value instanceof InlineRequests))
    return wrong({ code: 'invalid_type', expected: 'array', message: 'an array of requests is required' });
  if (value.count === 0) return wrong({ code: 'too_small', message: 'at least one request is required' });
  const noObject = value.wrong;
  if (!noObject) return payload;
  const { index, shown } = noObject;
  return wrong({ code: 'invalid_type', path: [index], shown, message: 'a request is an object' });
}) as unknown as z.ZodType<InlineRequests>;

const priorityRange = `an integer from ${bounds.priorityMin} to ${bounds.priorityMax} is allowed`;
const deadlineForm = 'Unix seconds, or a time such as "2026-01-31T18:00:00Z", is required';

/** Eyrie's own members of `POST /v1/batches`. */
const eyrieCreate = z.strictObject({
  /** `lenient`: lines that are no requests go to the error file, and the others run. */
  validation: optional(validationMode),
  /** One more receiver of this batch's events, signed with the tenant's secret. */
  webhook: optional(
    z.strictObject({ url: z.url('an http(s) URL is required').check(lengthUpTo('webhookUrlCharsMax')) }),
  ),
  /** In place of `input_file_id`. */
  requests: optional(inlineRequests),
  /** true: nothing is created; the answer says what the batch would be. */
  dry_run: optional(z.boolean('true or false is required')),
  /** Share of the fleet against other batches that wait: each step doubles it. Default 0. */
  priority: optional(
    z
      .number(priorityRange)
      .int(priorityRange)
      .check(valueFrom('priorityMin', priorityRange))
      .check(valueUpTo('priorityMax', priorityRange)),
  ),
  /** When the results are wanted. The batch goes on after it, up to the end of its completion window. */
  deadline: optional(
    z
      .union(
        [
          z.number().int().min(0).check(valueUpTo('unixSecondsMax')),
          z.iso.datetime({ offset: true, error: deadlineForm }).check(lengthUpTo('timeCharsMax')),
        ],
        deadlineForm,
      )
      .transform((time) => (typeof time === 'number' ? time : Math.floor(Date.parse(time) / 1000))),
  ),
});

/**
 * Body of `POST /v1/batches`. With inline requests, which may also stand at the top as in Anthropic's API, `endpoint` and
 * `completion_window` may be left out: the requests say the one, and the other is `24h`.
 */
export const createBatchRequest = z
  .strictObject({
    input_file_id: optional(
      z.string('a file id is required').min(1, 'a file id is required').check(lengthUpTo('idCharsMax')),
    ),
    endpoint: optional(z.enum(endpoints, `${endpoints.join(' and ')} are supported`)),
    completion_window: optional(z.string('a window such as "24h" is required').check(lengthUpTo('windowCharsMax'))),
    metadata: optional(metadata),
    output_expires_after: optional(expiresAfter),
    requests: optional(inlineRequests),
    eyrie: optional(eyrieCreate),
  })
  .superRefine((body, context) => {
    const inline = [body.requests, body.eyrie?.requests].filter((requests) => requests !== undefined).length;
    const refuse = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    if (inline === 2) refuse('requests', 'requests stand in eyrie.requests too; give them once');
    if (inline > 0 && body.input_file_id !== undefined)
      refuse('input_file_id', 'requests are given too; give a file or requests');
    if (inline > 0) return;
    for (const name of ['input_file_id', 'endpoint', 'completion_window'] as const)
      if (body[name] === undefined) refuse(name, 'it is required');
  });
export type CreateBatchRequest = z.output<typeof createBatchRequest>;
