import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { boundedRecord } from './bounded.js';
import { lengthUpTo, valueUpTo } from './within.js';

/** null counts as absent, everywhere. `optional` stands outside, so that an absent member costs next to nothing. */
export const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();

const seedText = 'an integer from -2^63 to 2^63 - 1 is required';
/** JSON numbers are doubles here: beyond 2^53 a seed stands for all that are read as the same double, 2^63 itself among them. */
const int64 = z.number().refine((value) => Number.isInteger(value) && Math.abs(value) <= 2 ** 63, seedText);

/** Below it a float32 would be zero; there is nothing between it and zero that another answer could come of. */
const float32Min = 2 ** -126;

const tokenIdName = /^\d{1,7}$/;

const stopString = z
  .string()
  .min(1, 'a stop string may not be empty')
  .check(lengthUpTo('stopCharsMax', `at most ${bounds.stopCharsMax} characters are allowed`));

/** Sampling fields that `/v1/completions` and `/v1/chat/completions` share. Ranges are those of the OpenAI API. */
export const samplingFields = {
  temperature: optional(z.number().min(0, '0 to 2 is allowed').max(2, '0 to 2 is allowed')),
  top_p: optional(
    z
      .number()
      .gt(0, 'a number above 0 and up to 1 is allowed')
      .max(1, 'a number above 0 and up to 1 is allowed')
      .transform((value) => Math.max(value, float32Min)),
  ),
  n: optional(
    z
      .number()
      .int()
      .min(1, `1 to ${bounds.choicesPerPromptMax} is allowed`)
      .check(valueUpTo('choicesPerPromptMax', `1 to ${bounds.choicesPerPromptMax} is allowed`)),
  ),
  stop: optional(
    z.union(
      [
        stopString,
        z
          .array(stopString)
          .check(lengthUpTo('stopStringsMax', `at most ${bounds.stopStringsMax} stop strings are allowed`)),
      ],
      `a string, or an array of up to ${bounds.stopStringsMax} strings, is allowed`,
    ),
  ),
  seed: optional(int64),
  logit_bias: optional(
    boundedRecord(
      z.string().regex(tokenIdName),
      z
        .number('a number from -100 to 100 is allowed')
        .min(-100, '-100 to 100 is allowed')
        .max(100, '-100 to 100 is allowed'),
      {
        max: 'logitBiasMax',
        tooMany: `at most ${bounds.logitBiasMax} token ids are allowed`,
        noObject: 'an object of token ids and numbers, such as {"50": -100}, is allowed',
        wrongName: 'the keys of logit_bias are token ids, such as "50"',
        isRight: (name, bias) => typeof bias === 'number' && Math.abs(bias) <= 100 && tokenIdName.test(name),
      },
    ),
  ),
  presence_penalty: optional(z.number().min(-2, '-2 to 2 is allowed').max(2, '-2 to 2 is allowed')),
  frequency_penalty: optional(z.number().min(-2, '-2 to 2 is allowed').max(2, '-2 to 2 is allowed')),
  // Not upstream; names as in vLLM.
  top_k: optional(z.number().int().min(-1, '-1 or 0 (off), or 1 and above, is allowed')),
  min_p: optional(z.number().min(0, '0 to 1 is allowed').max(1, '0 to 1 is allowed')),
  repetition_penalty: optional(z.number().min(0.001, '0.001 to 10 is allowed').max(10, '0.001 to 10 is allowed')),
  min_tokens: optional(z.number().int().min(0, '0 and above is allowed')),
  ignore_eos: optional(z.boolean()),
  return_token_ids: optional(z.boolean()),
  stream: optional(z.boolean()),
  stream_options: optional(z.looseObject({ include_usage: optional(z.boolean('true or false is allowed')) })),
  user: optional(z.string()),
};

/** Eyrie's own fields of a request body. */
export const eyrieFields = optional(
  z.strictObject({
    /** `head`: drop the oldest prompt tokens so that prompt and completion fit the context; absent: a too long prompt is an error. */
    truncate: optional(z.enum(['head'])),
    /** `parse`: texts such as `<|endoftext|>` become special tokens; `text`: they stay plain text. */
    special_tokens: optional(z.enum(['parse', 'text'])),
  }),
);

export const modelField = z
  .string('a model name is required')
  .min(1, 'a model name is required')
  .check(lengthUpTo('modelNameCharsMax'));
