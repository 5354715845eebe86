import { z } from 'zod';

const count = z.number().int().min(0);

export const usageObject = z.object({ prompt_tokens: count, completion_tokens: count, total_tokens: count });

/** Only with `return_token_ids`; in a stream with the last event of a choice. */
export const tokenIdFields = {
  token_ids: z.array(z.number().int()).optional(),
  prompt_token_ids: z.array(z.number().int()).optional(),
};

/** `stop`: end of text or a stop string; `length`: as many tokens as were allowed. */
export const finishReason = z.enum(['stop', 'length']);

/** Members that every answer and every event of one has. */
export const answerFields = {
  id: z.string(),
  /** Unix seconds. */
  created: z.number().int(),
  model: z.string(),
  /** Names build, model and number format: equal fingerprints and seeds give equal answers. */
  system_fingerprint: z.string(),
};

/** What it takes to get the same answer again; in a stream with the last event of each choice. */
export const recipe = z.object({ seed: z.number().int() });

/** Four parallel arrays, one entry for each token; `text_offset` counts code points. */
const logprobs = z.object({
  tokens: z.array(z.string()),
  /** null for the first token of an echoed prompt. */
  token_logprobs: z.array(z.number().nullable()),
  /** null when only the chosen token's was asked for. */
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
  text_offset: z.array(count),
});

const choice = z.object({
  index: count,
  text: z.string(),
  logprobs: logprobs.nullable(),
  finish_reason: finishReason,
  ...tokenIdFields,
});

/** Answer of `POST /v1/completions`. */
export const completionObject = z.object({
  ...answerFields,
  object: z.literal('text_completion'),
  choices: z.array(choice),
  usage: usageObject,
  eyrie: recipe,
});

/** An event of a streamed completion. */
export const completionEvent = z.object({
  ...answerFields,
  object: z.literal('text_completion'),
  choices: z.array(choice.extend({ finish_reason: finishReason.nullable() })),
  /** With `stream_options.include_usage`: null until the last event, which has no choices. */
  usage: usageObject.nullable().optional(),
  eyrie: recipe.optional(),
});
