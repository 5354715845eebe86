import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { eyrieFields, modelField, optional, samplingFields } from './sampling-fields.js';
import { structuredOutputFields } from './structured-output.js';

const tokenIds = z.array(z.number().int('token ids are integers').min(0, 'token ids are 0 and above'));

/** Told apart by the first element, so that the message names the right form. */
const prompt = z.union(
  [
    z.string(),
    tokenIds.min(1, 'a prompt of token ids may not be empty'),
    z.array(z.string()).min(1),
    z.array(tokenIds.min(1, 'a prompt of token ids may not be empty')).min(1),
  ],
  'a string, an array of strings, an array of token ids, or an array of those is allowed; it may not be empty or mixed',
);

/** Body of `POST /v1/completions` and of a batch line for it. */
export const completionRequest = z
  .strictObject({
    model: modelField,
    prompt,
    max_tokens: optional(z.number().int('an integer is required').min(0, '0 and above is allowed')),
    best_of: optional(
      z
        .number()
        .int()
        .min(1, `1 to ${bounds.choicesPerPromptMax} is allowed`)
        .max(bounds.choicesPerPromptMax, `1 to ${bounds.choicesPerPromptMax} is allowed`),
    ),
    echo: optional(z.boolean()),
    logprobs: optional(
      z
        .number()
        .int()
        .min(0, `0 to ${bounds.logprobsMax} is allowed`)
        .max(bounds.logprobsMax, `0 to ${bounds.logprobsMax} is allowed`),
    ),
    suffix: optional(z.literal('', 'a suffix is not supported; leave it out')),
    ...samplingFields,
    ...structuredOutputFields,
    eyrie: eyrieFields,
  })
  .refine((body) => body.best_of === undefined || body.best_of >= (body.n ?? 1), {
    path: ['best_of'],
    message: 'it must be at least n',
  })
  .refine((body) => body.max_tokens !== 0 || body.echo === true, {
    path: ['max_tokens'],
    message: '0 is allowed only with echo',
  })
  .refine(
    (body) =>
      !Array.isArray(body.prompt) || !Array.isArray(body.prompt[0]) || body.prompt.length <= bounds.promptsPerLineMax,
    {
      path: ['prompt'],
      message: `at most ${bounds.promptsPerLineMax} prompts are allowed`,
    },
  )
  .refine(
    (body) =>
      !Array.isArray(body.prompt) ||
      typeof body.prompt[0] !== 'string' ||
      body.prompt.length <= bounds.promptsPerLineMax,
    {
      path: ['prompt'],
      message: `at most ${bounds.promptsPerLineMax} prompts are allowed`,
    },
  );

export type CompletionRequest = z.output<typeof completionRequest>;
