import type { LiveRequest } from '../../contract/live-message.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { callWorker, type Caller, type LiveNews } from './call-worker.js';

/**
 * The interactive lane: a one-line shard that somebody waits for, through the same queue and the same engine as all others. When
 * its worker ends in order, or is lost before it had begun, the call is made once more, with another worker; one that was lost while
 * it made the answer may have been lost because of it (`worker_crashed`), and no other one is risked. Leave the loop to give the
 * call up: its slot is then free within a second. `cost`: tokens that it may take, its part of the tenant's share.
 */
export async function* callLive(
  world: Caller,
  tenant: string,
  request: LiveRequest,
  cost: number,
  signal: AbortSignal,
): AsyncGenerator<LiveNews> {
  const startedMs = world.clock.monotonic();
  for (let attempt = 1; ; attempt++) {
    let begun = false;
    try {
      for await (const news of callWorker(world, tenant, request, { cost, startedMs }, signal)) {
        begun = true;
        yield news;
      }
      return;
    } catch (error) {
      const again = errorCode(error) === 'worker_lost' && !begun && attempt < bounds.liveAttemptsMax;
      if (!again) throw error;
      world.log.warn('live.worker_lost', { tenant, attempt });
    }
  }
}
