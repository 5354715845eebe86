import { bounds } from '../domain/bounds.js';
import type { Clock } from '../ports/clock.js';

/**
 * The same bytes in small steps, with a pause between them as long as what the reader did with the last one: it takes half of a
 * processor's time at most, and all others the rest.
 */
export async function* inSteps(
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source)
    for (let from = 0; from < chunk.length; from += bounds.dryRunStepBytes) {
      const begunMs = clock.monotonic();
      yield chunk.subarray(from, from + bounds.dryRunStepBytes);
      const tookMs = clock.monotonic() - begunMs;
      if (tookMs > 0) await clock.sleep(tookMs, signal);
      signal.throwIfAborted();
    }
}
