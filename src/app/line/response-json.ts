import type { Tokenizer } from '../../ports/tokenizer.js';
import type { Breather } from '../breather.js';
import { choiceJson } from './choice-json.js';
import type { LineRequest } from './line-request.js';
import { toRecipe, toUsage, type ResponseFrame } from './response-body.js';
import type { PromptResult } from './run-sequences.js';

/**
 * The response body of a line in OpenAI's shape, as JSON, piece by piece. One choice per prompt p and answer k, `index` = p * n + k.
 */
export function* responseJson(
  frame: ResponseFrame,
  line: LineRequest,
  results: readonly PromptResult[],
  tokenizer: Tokenizer,
): Generator<string> {
  const head = {
    id: frame.id,
    object: line.format === 'chat' ? 'chat.completion' : 'text_completion',
    created: frame.created,
    model: frame.model,
  };
  yield `${JSON.stringify(head).slice(0, -1)},"choices":[`;
  for (const [p, { ids }] of line.prompts.entries())
    for (const [k, result] of (results[p]?.chosen ?? []).entries()) {
      const index = p * line.choices + k;
      if (index > 0) yield ',';
      yield* choiceJson(line, ids, result, index, tokenizer);
    }
  const tail = { usage: toUsage(line, results), system_fingerprint: frame.fingerprint, eyrie: toRecipe(line) };
  yield `],${JSON.stringify(tail).slice(1)}`;
}

/** The same pieces, with turns for others on the event loop in between. */
export async function* inTurns(breather: Breather, pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    if (breather.due) await breather.pause();
    if (piece !== '') yield piece;
  }
}

export async function joined(pieces: AsyncIterable<string>): Promise<string> {
  const all: string[] = [];
  for await (const piece of pieces) all.push(piece);
  return all.join('');
}
