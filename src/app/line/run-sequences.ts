import { sequenceKey } from '../../domain/line-seed.js';
import type { Engine, SequenceRequest, SequenceResult, TokenNews } from '../../ports/engine.js';
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

/** Waits until a sequence of so many tokens may enter the engine; gives what reports that it has left. */
export type SequenceGate = (tokens: number) => Promise<() => void>;

type Prompt = LineRequest['prompts'][number];

/**
 * Generates single sequences. The log-probabilities of a prompt follow from the prompt alone, and most of what scoring costs is
 * them: they are computed once for all candidates of all equal prompts. Where nothing is generated that is the whole result.
 */
class Sequences {
  readonly #line: LineRequest;
  readonly #engine: Engine;
  readonly #signal: AbortSignal;
  readonly #enter: SequenceGate | undefined;
  /** By prompt: the sequence that reads it. */
  readonly #readers = new Map<string, Promise<SequenceResult>>();

  constructor(line: LineRequest, engine: Engine, signal: AbortSignal, enter: SequenceGate | undefined) {
    this.#line = line;
    this.#engine = engine;
    this.#signal = signal;
    this.#enter = enter;
  }

  async result(
    { ids, maxTokens }: Prompt,
    key: bigint,
    onTokens: ((news: TokenNews) => void) | undefined,
  ): Promise<SequenceResult> {
    const { sampling } = this.#line;
    const request = { ...sampling, promptIds: ids, maxTokens, sequenceKey: key };
    if (!sampling.promptLogprobs) return this.#generate(request, onTokens);
    const prompt = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('latin1');
    const reader = this.#readers.get(prompt);
    if (!reader) {
      const first = this.#generate(request, onTokens);
      this.#readers.set(prompt, first);
      return first;
    }
    if (maxTokens === 0) return reader;
    const [generated, { promptLogprobs }] = await Promise.all([
      this.#generate({ ...request, promptLogprobs: false }, onTokens),
      reader,
    ]);
    return { ...generated, promptLogprobs };
  }

  async #generate(request: SequenceRequest, onTokens?: (news: TokenNews) => void): Promise<SequenceResult> {
    const leave = await this.#enter?.(request.promptIds.length + request.maxTokens);
    try {
      return await this.#engine.generate(request, this.#signal, onTokens);
    } finally {
      leave?.();
    }
  }
}

/** Generates all sequences of a line. The engine sees all that `enter` lets through, and orders them itself. */
export async function runSequences(
  line: LineRequest,
  engine: Engine,
  signal: AbortSignal,
  watcher?: SequenceWatcher,
  enter?: SequenceGate,
): Promise<readonly PromptResult[]> {
  const sequences = new Sequences(line, engine, signal, enter);
  return Promise.all(
    line.prompts.map(async (prompt, p) => {
      const results = await Promise.all(
        Array.from({ length: line.candidates }, async (_, choice) => {
          const onTokens = watcher && ((news: TokenNews) => watcher.onTokens(p, choice, news));
          const result = await sequences.result(prompt, sequenceKey(p, choice), onTokens);
          watcher?.onResult(p, choice, result);
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
