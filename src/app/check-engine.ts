import { EyrieError } from '../domain/errors.js';
import type { SequenceRequest } from '../ports/engine.js';
import { greedyRequest } from './line/greedy-request.js';
import type { Generator } from './shard-work.js';

/**
 * After a failure: whether the engine still generates at all, by one token of the shortest prompt there is. An engine that does not
 * must not condemn line after line: the worker is to end, and the work goes to another. Throws `engine_closed` then.
 */
export async function checkEngine({ engine, model, log, onBroken }: Generator): Promise<void> {
  const request: SequenceRequest = {
    ...greedyRequest,
    promptIds: Uint32Array.of(model.endTokenId),
    maxTokens: 1,
    ignoreEos: true,
    urgent: true,
  };
  try {
    await engine.generate(request, new AbortController().signal);
  } catch (cause) {
    log.error('engine.broken', {}, cause);
    onBroken();
    throw new EyrieError(
      'engine_closed',
      'The engine of this worker generates nothing any more; another is to go on.',
      {
        cause,
      },
    );
  }
}
