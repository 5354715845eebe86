import { errorCode } from '../domain/errors.js';
import { failureReason } from './failure-reason.js';
import type { World } from './world.js';

/**
 * Does a step again and again until the signal aborts, `everyMs` after it has ended. A step that throws is logged and tried again:
 * a loop of the service never ends by itself.
 */
export async function repeat(
  world: Pick<World, 'clock' | 'log'>,
  name: string,
  everyMs: number,
  step: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await step();
    } catch (error) {
      world.log.warn(`${name}.failed`, { code: errorCode(error), reason: failureReason(error) });
    }
    await world.clock.sleep(everyMs, signal);
  }
}
