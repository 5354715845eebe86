import { decodeText, TextOffsets, tokenText } from '../../src/domain/decode-tokens.js';
import {
  concatTokens,
  toAnswerText,
  tokenIdsOf,
  toRecipe,
  toUsage,
  type ResponseFrame,
} from '../../src/app/line/response-body.js';
import { toChatLogprobs } from '../../src/app/line/logprobs-body.js';
import type { LineRequest } from '../../src/app/line/line-request.js';
import type { PromptResult } from '../../src/app/line/run-sequences.js';
import type { SequenceResult, TokenLogprobs } from '../../src/ports/engine.js';
import type { Tokenizer } from '../../src/ports/tokenizer.js';

const toNumber = (value: number): number => (Number.isFinite(value) ? Number(value.toPrecision(9)) : -9999);

function legacyLogprobs(
  runs: readonly { readonly ids: Uint32Array; readonly logprobs: TokenLogprobs }[],
  text: string,
  tokenizer: Tokenizer,
): object {
  const textOf = (id: number): string => tokenText(tokenizer.tokenBytes(id), id);
  const tokens = runs.flatMap(({ ids, logprobs: { chosen, topIds, topLogprobs, k } }) =>
    Array.from(ids, (id, at) => {
      const value = chosen[at] ?? Number.NaN;
      if (Number.isNaN(value)) return { id, logprob: null, top: null };
      const best = Array.from({ length: k }, (_, rank) => at * k + rank);
      const top: Record<string, number> = {};
      for (const place of best) top[textOf(topIds[place] ?? 0)] = toNumber(topLogprobs[place] ?? Number.NaN);
      if (!best.some((place) => topIds[place] === id)) top[textOf(id)] = toNumber(value);
      return { id, logprob: toNumber(value), top };
    }),
  );
  return {
    tokens: tokens.map(({ id }) => textOf(id)),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top }) => top),
    text_offset: new TextOffsets().next(
      tokens.map(({ id }) => tokenizer.tokenBytes(id)),
      Array.from(text).length,
    ),
  };
}

function choiceObject(
  line: LineRequest,
  prompt: Uint32Array,
  result: SequenceResult,
  index: number,
  tokenizer: Tokenizer,
): object {
  const ending = { finish_reason: result.finishReason, ...tokenIdsOf(line, prompt, result) };
  const generated = result.logprobs && { ids: result.tokenIds, logprobs: result.logprobs };
  if (line.format === 'chat') {
    const message = { role: 'assistant', content: toAnswerText(line, decodeText(result.textBytes)), refusal: null };
    const logprobs =
      line.logprobs !== null && generated ? toChatLogprobs(generated, result.textBytes.length, tokenizer) : null;
    return { index, message, logprobs, ...ending };
  }
  const echoed = line.echo ? concatTokens(prompt, tokenizer) : Buffer.of();
  const text = decodeText(Buffer.concat([echoed, result.textBytes]));
  const read = line.echo && result.promptLogprobs ? [{ ids: prompt, logprobs: result.promptLogprobs }] : [];
  const runs = generated ? [...read, generated] : read;
  return { index, text, logprobs: line.logprobs === null ? null : legacyLogprobs(runs, text, tokenizer), ...ending };
}

/** The body of an answer as one object: what the service writes in pieces must be the JSON of it, byte for byte. */
export function responseObject(
  frame: ResponseFrame,
  line: LineRequest,
  results: readonly PromptResult[],
  tokenizer: Tokenizer,
): object {
  return {
    id: frame.id,
    object: line.format === 'chat' ? 'chat.completion' : 'text_completion',
    created: frame.created,
    model: frame.model,
    choices: line.prompts.flatMap(({ ids }, p) =>
      (results[p]?.chosen ?? []).map((result, k) => choiceObject(line, ids, result, p * line.choices + k, tokenizer)),
    ),
    usage: toUsage(line, results),
    system_fingerprint: frame.fingerprint,
    eyrie: toRecipe(line),
  };
}
