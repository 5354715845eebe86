import { bounds } from '../domain/bounds.js';
import { errorCode } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { isTenant, keys } from '../domain/object-keys.js';
import { virtualTime } from '../domain/shard-priority.js';
import { decidedShards } from './batch-records.js';
import { findPlanHead } from './stored-plan.js';
import type { World } from './world.js';

interface Traces {
  /** Times of shards that were given out, as their parts show: the queue's clock was there. */
  readonly reached: number[];
  /** Times at which batches came of which nothing is done. */
  readonly starts: number[];
}

/** What one open batch tells of the clock. */
async function readTrace(world: World, key: string, traces: Traces): Promise<void> {
  const [tenant = '', batchId = ''] = key.slice(keys.openBatches.length).split('/');
  if (!isTenant(tenant) || !isId('batch', batchId)) return;
  const plan = await findPlanHead(world, tenant, batchId);
  if (plan?.kind !== 'work') return;
  const decided = await decidedShards(world.store, tenant, batchId);
  const open = plan.shardTokens.findIndex((_, n) => !decided.has(n));
  const first = open < 0 ? plan.shardTokens.length : open;
  if (first > 0) traces.reached.push(virtualTime(plan.order, first - 1));
  else traces.starts.push(plan.order.start);
}

/**
 * The clock as the open batches show it: the latest time of a shard that has all shards of its batch before it decided. A batch that
 * waits in a fair queue is never more than a stride behind the clock, so this is the clock but for the stride of the most urgent
 * batch and what was being done. It is the latest of all batches, not the earliest: one shard that hangs keeps its batch's mark back
 * for hours, and a new batch that started there would go before all others.
 */
async function clockOfOpenBatches(world: World): Promise<number> {
  const traces: Traces = { reached: [], starts: [] };
  let after: string | null = null;
  do {
    const page = await world.store.list(keys.openBatches, {
      limit: bounds.clockReadsMax,
      ...(after === null ? {} : { after }),
    });
    await Promise.all(
      page.objects.map(({ key }) =>
        readTrace(world, key, traces).catch((error: unknown) => {
          world.log.warn('queue.clock_trace_unread', { key, code: errorCode(error) });
        }),
      ),
    );
    after = page.next;
  } while (after !== null);
  if (traces.reached.length > 0) return traces.reached.reduce((a, b) => Math.max(a, b));
  return traces.starts.reduce((a, b) => Math.min(a, b), Infinity);
}

/**
 * The virtual time that the queue has reached. A queue that does not know, because Redis is new or lost its data, is told: a batch
 * that started at zero would be done before everything that was planned earlier, and hold it up for as long as such batches come.
 * While the queue is away the store's answer is used as it is: a batch is planned all the same, and its shards are queued later.
 */
export async function queueClock(world: World): Promise<number> {
  const { queue, log } = world;
  const away = (error: unknown): null => {
    log.warn('queue.clock_not_seen', { code: errorCode(error) });
    return null;
  };
  const known = await queue.clock('shard').catch(away);
  if (known !== null) return known;
  const found = await clockOfOpenBatches(world);
  const restored = Number.isFinite(found) ? found : 0;
  const now = await queue
    .raiseClock('shard', restored)
    .then(() => queue.clock('shard'))
    .catch(away);
  if (now !== null) log.info('queue.clock_restored', { clock: now });
  return now ?? restored;
}
