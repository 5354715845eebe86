import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { eyrieFields, modelField, optional, samplingFields } from './sampling-fields.js';
import { structuredOutputFields } from './structured-output.js';
import { lengthUpTo, valueUpTo } from './within.js';

const textPart = z.looseObject({ type: z.literal('text', 'only text parts are supported'), text: z.string() });

const message = z.strictObject({
  role: z.enum(['system', 'developer', 'user', 'assistant'], 'system, developer, user or assistant is allowed'),
  content: z.union(
    [
      z.string(),
      z.array(textPart).check(lengthUpTo('chatPartsMax', `at most ${bounds.chatPartsMax} text parts are allowed`)),
    ],
    'a string or an array of text parts is allowed',
  ),
  name: optional(z.string()),
  type: optional(z.string()),
  refusal: optional(z.string()),
});

const absent = (what: string) =>
  optional(
    z.array(z.never(`${what} are not supported; leave them out`)).max(0, `${what} are not supported; leave them out`),
  );
const ignored = optional(z.unknown());

/** Body of `POST /v1/chat/completions` and of a batch line for it. What would change the text and is not offered is refused; the rest is ignored. */
export const chatRequest = z
  .strictObject({
    model: modelField,
    messages: z
      .array(message)
      .min(1, 'at least one message is required')
      .check(lengthUpTo('chatMessagesMax', `at most ${bounds.chatMessagesMax} messages are allowed`)),
    max_tokens: optional(z.number().int('an integer is required').min(1, '1 and above is allowed')),
    max_completion_tokens: optional(z.number().int('an integer is required').min(1, '1 and above is allowed')),
    logprobs: optional(z.boolean()),
    top_logprobs: optional(
      z
        .number()
        .int()
        .min(0)
        .check(valueUpTo('topLogprobsMax', `0 to ${bounds.topLogprobsMax} is allowed`)),
    ),
    tools: absent('tools'),
    functions: absent('functions'),
    tool_choice: optional(z.literal('none', 'tools are not supported; only "none" is allowed')),
    function_call: optional(z.literal('none', 'functions are not supported; only "none" is allowed')),
    modalities: optional(z.array(z.literal('text', 'only "text" is supported')).max(8, 'only "text" is supported')),
    parallel_tool_calls: ignored,
    safety_identifier: ignored,
    prompt_cache_key: ignored,
    prompt_cache_retention: ignored,
    prompt_cache_options: ignored,
    service_tier: ignored,
    store: ignored,
    metadata: ignored,
    prediction: ignored,
    ...samplingFields,
    ...structuredOutputFields,
    eyrie: eyrieFields,
  })
  .refine((body) => body.messages.at(-1)?.role === 'user', {
    path: ['messages'],
    message: 'the last message must be from the user',
  })
  .refine((body) => body.top_logprobs === undefined || body.logprobs === true, {
    path: ['top_logprobs'],
    message: 'it needs "logprobs": true',
  })
  .refine(
    (body) =>
      body.max_tokens === undefined ||
      body.max_completion_tokens === undefined ||
      body.max_tokens === body.max_completion_tokens,
    { path: ['max_completion_tokens'], message: 'it differs from max_tokens; give one of them' },
  );

export type ChatRequest = z.output<typeof chatRequest>;
