import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { isBlank, splitJsonl } from '../../domain/jsonl-splitter.js';
import type { Engine } from '../../ports/engine.js';
import { greedyRequest } from '../line/greedy-request.js';
import { toLineRequest, type LineRules } from '../line/line-request.js';
import { readLine } from '../line/read-line.js';
import type { TextScore } from './compare-scores.js';

export interface Prompt {
  readonly ids: Uint32Array;
  readonly maxTokens: number;
}

export /** The prompts of a batch file, at most `linesMax` lines of it. A line that is wrong is an error: quality is not measured on what is left. */
async function readPrompts(
  source: AsyncIterable<Uint8Array>,
  rules: LineRules,
  linesMax: number,
): Promise<readonly Prompt[]> {
  const prompts: Prompt[] = [];
  let line = 0;
  for await (const { bytes } of splitJsonl(source, bounds.lineBytesMax)) {
    if (bytes && isBlank(bytes)) continue;
    if (++line > linesMax) break;
    try {
      prompts.push(...(await toLineRequest(readLine(bytes, null, rules.model), rules)).prompts);
    } catch (error) {
      if (error instanceof EyrieError)
        throw new EyrieError(error.code, `Line ${line}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  if (prompts.length === 0)
    throw new EyrieError('invalid_value', 'The file holds no requests. Give a batch file with at least one line.');
  return prompts;
}

/** Each prompt with what the engine answers to it, greedily. */
export async function answerGreedily(engine: Engine, prompts: readonly Prompt[]): Promise<readonly Uint32Array[]> {
  const { signal } = new AbortController();
  const answers = prompts.map(async ({ ids, maxTokens }) => {
    const { tokenIds } = await engine.generate({ ...greedyRequest, promptIds: ids, maxTokens }, signal);
    return Uint32Array.of(...ids, ...tokenIds);
  });
  return Promise.all(answers);
}

export function scoreTexts(engine: Engine, texts: readonly Uint32Array[]): Promise<readonly TextScore[]> {
  const { signal } = new AbortController();
  const scores = texts.map(async (promptIds) => {
    const request = { ...greedyRequest, promptIds, maxTokens: 0, logprobs: 1, promptLogprobs: true };
    const { promptLogprobs } = await engine.generate(request, signal);
    if (promptLogprobs === null)
      throw new EyrieError('internal_error', 'The engine returned no log-probabilities of a prompt.');
    return { chosen: promptLogprobs.chosen, best: promptLogprobs.topIds };
  });
  return Promise.all(scores);
}
