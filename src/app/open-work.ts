import type { BatchJob } from '../contract/queue-payload.js';
import type { WorkHead } from '../contract/stored-objects.js';
import type { FleetSpeed, OpenWork } from '../domain/completion-estimate.js';
import { errorCode } from '../domain/errors.js';
import { virtualTime } from '../domain/shard-priority.js';
import type { FleetState } from '../ports/progress-board.js';
import type { World } from './world.js';

type Board = Pick<World, 'progress' | 'log'>;

type Planned = Pick<WorkHead, 'order' | 'shardTokens'>;

/** The shards of a plan that are not decided; null when all are. */
export function openWork({ order, shardTokens }: Planned, decided: ReadonlyMap<number, unknown>): OpenWork | null {
  let tokens = 0;
  let first: number | null = null;
  let last = 0;
  for (const [n, more] of shardTokens.entries()) {
    if (decided.has(n)) continue;
    tokens += more;
    first ??= n;
    last = n;
  }
  if (first === null) return null;
  return { tokens, first: virtualTime(order, first - 1), last: virtualTime(order, last) };
}

/** Tells the board what a batch still has to do, for the estimates of all batches. Only a hint: a failure is logged. */
export async function noteOpenWork(
  { progress, log }: Board,
  { batchId }: BatchJob,
  plan: Planned,
  decided: ReadonlyMap<number, unknown>,
): Promise<void> {
  const work = openWork(plan, decided);
  try {
    if (work) await progress.noteWork(batchId, work);
  } catch (error) {
    log.warn('progress.unavailable', { batchId, code: errorCode(error) });
  }
}

/** null: the board is away, and nothing is known of the fleet. */
export async function readFleet({ progress, log }: Board): Promise<FleetState | null> {
  try {
    return await progress.fleet();
  } catch (error) {
    log.warn('progress.unavailable', { code: errorCode(error) });
    return null;
  }
}

/** null: no worker has told a speed yet. */
export function fleetSpeed(fleet: FleetState | null): FleetSpeed | null {
  if (!fleet) return null;
  const tokensPerSecond = fleet.workers.reduce((sum, worker) => sum + worker.tokensPerSecond, 0);
  if (tokensPerSecond > 0) return { tokensPerSecond, workers: fleet.workers.length, basis: 'measured' };
  const last = fleet.lastKnown?.tokensPerSecond ?? 0;
  return last > 0 ? { tokensPerSecond: last, workers: 0, basis: 'last_known' } : null;
}
