import { cleanHumanBotAnswer, withoutLeadingSpace } from '../../domain/human-bot-prompt.js';
import type { SequenceResult } from '../../ports/engine.js';
import type { Tokenizer } from '../../ports/tokenizer.js';
import type { LineRequest } from './line-request.js';
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

export interface LineUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export const usageOf = (line: LineRequest, results: readonly PromptResult[]): LineUsage => ({
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
