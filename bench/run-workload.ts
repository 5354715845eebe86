import { setMaxListeners } from 'node:events';
import { greedyRequest } from '../src/app/line/greedy-request.js';
import type { Engine } from '../src/ports/engine.js';
import type { WorkloadLine } from './workload.js';

// As the peers are measured: exactly max_tokens tokens a line.
const greedy = { ...greedyRequest, ignoreEos: true };

export interface WorkloadResult {
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly wallSeconds: number;
}

/** All lines at once through the engine, as an offline batch gives them. Throws when a line gives another number of tokens than asked. */
export async function runWorkload(engine: Engine, lines: readonly WorkloadLine[]): Promise<WorkloadResult> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const started = performance.now();
  const outputs = await Promise.all(
    lines.map((line, at) =>
      engine.generate(
        { ...greedy, promptIds: Uint32Array.from(line.prompt), maxTokens: line.max_tokens, sequenceKey: BigInt(at) },
        stop.signal,
      ),
    ),
  );
  const wallSeconds = (performance.now() - started) / 1000;
  outputs.forEach(({ tokenIds }, at) => {
    if (tokenIds.length !== lines[at]?.max_tokens)
      throw new Error(`Line ${at} gave ${tokenIds.length} tokens instead of ${lines[at]?.max_tokens}.`);
  });
  return {
    promptTokens: lines.reduce((sum, { prompt }) => sum + prompt.length, 0),
    outputTokens: lines.reduce((sum, line) => sum + line.max_tokens, 0),
    wallSeconds,
  };
}
