import { decodeText } from '../../domain/decode-tokens.js';
import { cleanHumanBotAnswer, withoutLeadingSpace } from '../../domain/human-bot-prompt.js';
import type { SequenceResult } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import type { LineRequest } from './line-request.js';
import { toChatLogprobs, toLegacyLogprobs, type TokenRun } from './logprobs-body.js';
import type { PromptResult } from './run-sequences.js';

export interface ResponseFrame {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
}

export const concatTokens = (ids: Uint32Array, tokenizer: Tokenizer): Uint8Array =>
  Buffer.concat(Array.from(ids, (id) => tokenizer.tokenBytes(id)));

/** `token_ids` and `prompt_token_ids`, when they were asked for. */
export function tokenIdsOf(line: LineRequest, prompt: Uint32Array, result: SequenceResult): object {
  return line.returnTokenIds ? { token_ids: Array.from(result.tokenIds), prompt_token_ids: Array.from(prompt) } : {};
}

/** The generated text as it is shown. What a grammar has shaped stays as it is but for the space before it. */
export function toAnswerText({ format, sampling }: LineRequest, generated: string): string {
  if (format !== 'chat') return generated;
  return sampling.grammar ? withoutLeadingSpace(generated) : cleanHumanBotAnswer(generated);
}

export function completionChoice(
  line: LineRequest,
  prompt: Uint32Array,
  result: SequenceResult,
  index: number,
  tokenizer: Tokenizer,
): object {
  // Decoded together: a character may begin in the prompt and end in the answer.
  const text = decodeText(
    line.echo ? Buffer.concat([concatTokens(prompt, tokenizer), result.textBytes]) : result.textBytes,
  );
  let logprobs = null;
  if (line.logprobs !== null) {
    const runs: TokenRun[] = [];
    if (line.echo && result.promptLogprobs) runs.push({ ids: prompt, logprobs: result.promptLogprobs });
    if (result.logprobs) runs.push({ ids: result.tokenIds, logprobs: result.logprobs });
    logprobs = toLegacyLogprobs(runs, text, tokenizer);
  }
  return { index, text, logprobs, finish_reason: result.finishReason, ...tokenIdsOf(line, prompt, result) };
}

function chatChoice(
  line: LineRequest,
  prompt: Uint32Array,
  result: SequenceResult,
  index: number,
  tokenizer: Tokenizer,
): object {
  const logprobs =
    line.logprobs !== null && result.logprobs
      ? toChatLogprobs({ ids: result.tokenIds, logprobs: result.logprobs }, result.textBytes.length, tokenizer)
      : null;
  return {
    index,
    message: { role: 'assistant', content: toAnswerText(line, decodeText(result.textBytes)), refusal: null },
    logprobs,
    finish_reason: result.finishReason,
    ...tokenIdsOf(line, prompt, result),
  };
}

export interface LineUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

const usageOf = (line: LineRequest, results: readonly PromptResult[]): LineUsage => ({
  promptTokens: line.prompts.reduce((sum, prompt) => sum + prompt.ids.length, 0),
  completionTokens: results.reduce((sum, result) => sum + result.generatedTokens, 0),
});

/** `usage` as it stands in a body. */
export function toUsage(line: LineRequest, results: readonly PromptResult[]): object {
  const { promptTokens, completionTokens } = usageOf(line, results);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** What it takes to get the same answer again. */
export const toRecipe = (line: LineRequest): object => ({ seed: Number(BigInt.asIntN(64, line.seed)) });

/** The response body of a line in OpenAI's shape. One choice per prompt p and answer k, `index` = p * n + k. */
export function toResponseBody(
  frame: ResponseFrame,
  line: LineRequest,
  results: readonly PromptResult[],
  tokenizer: Tokenizer,
): { readonly body: object; readonly usage: LineUsage } {
  const toChoice = line.format === 'chat' ? chatChoice : completionChoice;
  const choices = line.prompts.flatMap(({ ids }, p) =>
    (results[p]?.chosen ?? []).map((result, k) => toChoice(line, ids, result, p * line.choices + k, tokenizer)),
  );
  const body = {
    id: frame.id,
    object: line.format === 'chat' ? 'chat.completion' : 'text_completion',
    created: frame.created,
    model: frame.model,
    choices,
    usage: toUsage(line, results),
    system_fingerprint: frame.fingerprint,
    eyrie: toRecipe(line),
  };
  return { body, usage: usageOf(line, results) };
}
