import { sequenceKey } from '../../domain/line-seed.js';
import type { Engine, SequenceResult, TokenNews } from '../../ports/engine.js';
import type { LineRequest } from './line-request.js';

/** The answers of one prompt: all candidates that were generated, and those chosen to be returned. */
export interface PromptResult {
  readonly chosen: readonly SequenceResult[];
  /** Tokens generated for all candidates, chosen or not. */
  readonly generatedTokens: number;
}

/** Follows the sequences of a line as they come; each is named by its prompt and its number among the candidates. */
export interface SequenceWatcher {
  onTokens(prompt: number, candidate: number, news: TokenNews): void;
  onResult(prompt: number, candidate: number, result: SequenceResult): void;
}

function meanLogprob({ logprobs }: SequenceResult): number {
  if (!logprobs || logprobs.chosen.length === 0) return 0;
  return logprobs.chosen.reduce((sum, value) => sum + value, 0) / logprobs.chosen.length;
}

/** Generates all sequences of a line. The engine sees them all at once and orders them itself. */
export async function runSequences(
  line: LineRequest,
  engine: Engine,
  signal: AbortSignal,
  watcher?: SequenceWatcher,
): Promise<readonly PromptResult[]> {
  return Promise.all(
    line.prompts.map(async ({ ids, maxTokens }, prompt) => {
      const results = await Promise.all(
        Array.from({ length: line.candidates }, async (_, choice) => {
          const result = await engine.generate(
            { ...line.sampling, promptIds: ids, maxTokens, sequenceKey: sequenceKey(prompt, choice) },
            signal,
            watcher && ((news) => watcher.onTokens(prompt, choice, news)),
          );
          watcher?.onResult(prompt, choice, result);
          return result;
        }),
      );
      const generatedTokens = results.reduce((sum, result) => sum + result.tokenIds.length, 0);
      if (line.candidates === line.choices) return { chosen: results, generatedTokens };
      // A stable sort: among equals the first generated wins.
      const best = results.toSorted((a, b) => meanLogprob(b) - meanLogprob(a));
      return { chosen: best.slice(0, line.choices), generatedTokens };
    }),
  );
}
