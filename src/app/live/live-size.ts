import { bounds, type BoundName } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { checkAnswerBytes } from '../line/answer-size.js';
import type { LineRequest } from '../line/line-request.js';

/** What a body says of the number of its sequences. */
interface SequenceFields {
  readonly prompt?: unknown;
  readonly n?: number | null | undefined;
  readonly best_of?: number | null | undefined;
}

const batchHint = 'Send it as several calls, or as a batch (POST /v1/batches), which takes more.';

function refuse(bound: BoundName, param: string, what: string): never {
  throw new EyrieError('invalid_value', `${what} ${batchHint}`, { param, bound });
}

const promptsIn = (prompt: unknown): number =>
  Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1;

function checkCount(prompts: number, candidates: number): void {
  const sequences = prompts * candidates;
  if (sequences > bounds.liveSequencesMax)
    refuse(
      'liveSequencesMax',
      candidates > 1 ? 'n' : 'prompt',
      `${prompts} prompts with ${candidates} candidates each (the larger one of n and best_of) are ${sequences} sequences; a call that waits for its answer may have ${bounds.liveSequencesMax}.`,
    );
}

/** The bound that needs no tokens: checked before anything is tokenized. */
export function checkSequences({ prompt, n, best_of: bestOf }: SequenceFields): void {
  checkCount(promptsIn(prompt), Math.max(n ?? 1, bestOf ?? 1));
}

const product = (prompts: number, candidates: number): string =>
  `${prompts} prompts with ${candidates} candidates each`;

/** Of the prompts that are tokenized so far: the others need not be when these are too many tokens already. */
export function checkPromptTokens({
  prompts,
  candidates,
  format,
}: Pick<LineRequest, 'prompts' | 'candidates' | 'format'>): void {
  const promptTokens = candidates * prompts.reduce((sum, { ids }) => sum + ids.length, 0);
  if (promptTokens > bounds.livePromptTokensMax)
    refuse(
      'livePromptTokensMax',
      format === 'chat' ? 'messages' : 'prompt',
      `${product(prompts.length, candidates)} are already ${promptTokens} prompt tokens to compute; a call that waits for its answer may have ${bounds.livePromptTokensMax}.`,
    );
}

/**
 * The bounds of a call that waits for its answer, before anything is generated: sequences, prompt tokens, generated tokens and bytes
 * of the answer. The API checks them, and the worker again, which trusts nobody. Throws `invalid_value`.
 */
export function checkLiveSize(line: LineRequest): void {
  const { prompts, candidates } = line;
  checkCount(prompts.length, candidates);
  checkPromptTokens(line);
  const outputTokens = candidates * prompts.reduce((sum, { maxTokens }) => sum + maxTokens, 0);
  if (outputTokens > bounds.liveOutputTokensMax)
    refuse(
      'liveOutputTokensMax',
      'max_tokens',
      `${product(prompts.length, candidates)} may generate ${outputTokens} tokens; a call that waits for its answer may generate ${bounds.liveOutputTokensMax}.`,
    );
  checkAnswerBytes(line.answerBytes, line, 'call');
}
