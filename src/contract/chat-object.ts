import { z } from 'zod';
import { answerFields, finishReason, recipe, tokenIdFields, usageObject } from './completion-object.js';

const tokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.number().int()) });

const logprobs = z.object({
  content: z.array(tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) })),
  refusal: z.null(),
});

const choice = z.object({
  index: z.number().int().min(0),
  message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
  logprobs: logprobs.nullable(),
  finish_reason: finishReason,
  ...tokenIdFields,
});

/** Answer of `POST /v1/chat/completions`. */
export const chatObject = z.object({
  ...answerFields,
  object: z.literal('chat.completion'),
  choices: z.array(choice),
  usage: usageObject,
  eyrie: recipe,
});

/** What is new: the role in a choice's first event, nothing in its last. */
const delta = z.object({
  role: z.literal('assistant').optional(),
  content: z.string().optional(),
  refusal: z.null().optional(),
});

/** An event of a streamed chat answer. */
export const chatEvent = z.object({
  ...answerFields,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(choice.omit({ message: true }).extend({ delta, finish_reason: finishReason.nullable() })),
  /** With `stream_options.include_usage`: null until the last event, which has no choices. */
  usage: usageObject.nullable().optional(),
  eyrie: recipe.optional(),
});
