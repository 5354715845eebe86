import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { tokenIdList } from './bounded.js';
import { modelField, optional } from './sampling-fields.js';
import { lengthUpTo } from './within.js';

/** Body of `POST /tokenize`, as in vLLM. Falcon puts nothing before or behind a text, so `add_special_tokens` changes nothing. */
export const tokenizeRequest = z.strictObject({
  model: optional(modelField),
  prompt: z
    .string('a text is required')
    .check(lengthUpTo('tokenizeCharsMax', `at most ${bounds.tokenizeCharsMax} characters are allowed; cut the text`)),
  add_special_tokens: optional(z.boolean()),
  return_token_strs: optional(z.boolean()),
});

export const tokenizeAnswer = z.object({
  count: z.number().int(),
  /** Tokens of prompt and completion together. */
  max_model_len: z.number().int(),
  tokens: z.array(z.number().int()),
  token_strs: z.array(z.string()).nullable(),
});

/** Body of `POST /detokenize`. */
export const detokenizeRequest = z.strictObject({
  model: optional(modelField),
  tokens: tokenIdList({
    max: 'detokenizeTokensMax',
    tooMany: `at most ${bounds.detokenizeTokensMax} token ids are allowed; cut the list`,
  }),
});

/** Bytes that are no UTF-8 become U+FFFD. */
export const detokenizeAnswer = z.object({ prompt: z.string() });

export const tokenizerInfo = z.object({
  tokenizer_class: z.string(),
  vocab_size: z.number().int(),
  model_max_length: z.number().int(),
  /** null: nothing is put before a text. */
  bos_token: z.string().nullable(),
  eos_token: z.string(),
});
