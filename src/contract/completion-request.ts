import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { chosenUnion, tokenIdList } from './bounded.js';
import { eyrieFields, modelField, optional, samplingFields } from './sampling-fields.js';
import { structuredOutputFields } from './structured-output.js';
import { lengthUpTo, valueUpTo } from './within.js';

const noPrompt = 'a prompt of token ids may not be empty';
const tokenIds = tokenIdList({ min: 1, tooFew: noPrompt });
const tooManyPrompts = `at most ${bounds.promptsPerLineMax} prompts are allowed`;

/** Which of the forms below a prompt has, by its first element. */
function promptForm(prompt: unknown): number | null {
  if (typeof prompt === 'string') return 0;
  if (!Array.isArray(prompt)) return null;
  const [first] = prompt as unknown[];
  if (typeof first === 'string') return 2;
  return Array.isArray(first) ? 3 : 1;
}

const prompt = chosenUnion(
  [
    z.string(),
    tokenIds,
    z.array(z.string()).min(1).check(lengthUpTo('promptsPerLineMax', tooManyPrompts)),
    z.array(tokenIds).min(1).check(lengthUpTo('promptsPerLineMax', tooManyPrompts)),
  ],
  promptForm,
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
        .check(valueUpTo('choicesPerPromptMax', `1 to ${bounds.choicesPerPromptMax} is allowed`)),
    ),
    echo: optional(z.boolean()),
    logprobs: optional(
      z
        .number()
        .int()
        .min(0, `0 to ${bounds.logprobsMax} is allowed`)
        .check(valueUpTo('logprobsMax', `0 to ${bounds.logprobsMax} is allowed`)),
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
  });

export type CompletionRequest = z.output<typeof completionRequest>;
