import { decodeText } from '../../domain/decode-tokens.js';
import { cleanHumanBotAnswer } from '../../domain/human-bot-prompt.js';
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

const concatTokens = (ids: Uint32Array, tokenizer: Tokenizer): Uint8Array =>
  Buffer.concat(Array.from(ids, (id) => tokenizer.tokenBytes(id)));

function tokenIds(line: LineRequest, prompt: Uint32Array, result: SequenceResult): object {
  return line.returnTokenIds ? { token_ids: Array.from(result.tokenIds), prompt_token_ids: Array.from(prompt) } : {};
}

function completionChoice(
  line: LineRequest,
  prompt: Uint32Array,
  result: SequenceResult,
  index: number,
  tokenizer: Tokenizer,
): object {
  const completion = decodeText(result.textBytes);
  const text = line.echo ? decodeText(concatTokens(prompt, tokenizer)) + completion : completion;
  let logprobs = null;
  if (line.logprobs !== null) {
    const runs: TokenRun[] = [];
    if (line.echo && result.promptLogprobs) runs.push({ ids: prompt, logprobs: result.promptLogprobs });
    if (result.logprobs) runs.push({ ids: result.tokenIds, logprobs: result.logprobs });
    logprobs = toLegacyLogprobs(runs, text, tokenizer);
  }
  return { index, text, logprobs, finish_reason: result.finishReason, ...tokenIds(line, prompt, result) };
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
    message: { role: 'assistant', content: cleanHumanBotAnswer(decodeText(result.textBytes)), refusal: null },
    logprobs,
    finish_reason: result.finishReason,
    ...tokenIds(line, prompt, result),
  };
}

export interface LineUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

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
  const usage: LineUsage = {
    promptTokens: line.prompts.reduce((sum, prompt) => sum + prompt.ids.length, 0),
    completionTokens: results.reduce((sum, result) => sum + result.generatedTokens, 0),
  };
  const body = {
    id: frame.id,
    object: line.format === 'chat' ? 'chat.completion' : 'text_completion',
    created: frame.created,
    model: frame.model,
    choices,
    usage: {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.promptTokens + usage.completionTokens,
    },
    system_fingerprint: frame.fingerprint,
    // What it takes to get the same answer again.
    eyrie: { seed: Number(BigInt.asIntN(64, line.seed)) },
  };
  return { body, usage };
}
