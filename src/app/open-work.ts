import type { BatchJob } from '../contract/queue-payload.js';
import type { WorkPlan } from '../contract/stored-objects.js';
import type { FleetSpeed, OpenWork } from '../domain/completion-estimate.js';
import { errorCode } from '../domain/errors.js';
import { virtualTime } from '../domain/shard-priority.js';
import type { FleetState } from '../ports/progress-board.js';
import type { World } from './world.js';

type Board = Pick<World, 'progress' | 'log'>;

/** The shards of a plan that are not decided; null when all are. */
export function openWork(plan: WorkPlan, decided: ReadonlyMap<number, unknown>): OpenWork | null {
  const open = plan.shards.filter(({ n }) => !decided.has(n));
  const [first, last] = [open[0], open.at(-1)];
  if (!first || !last) return null;
  return {
    tokens: open.reduce((sum, shard) => sum + shard.tokens, 0),
    first: virtualTime(plan.order, first.n - 1),
    last: virtualTime(plan.order, last.n),
  };
}

/** Tells the board what a batch still has to do, for the estimates of all batches. Only a hint: a failure is logged. */
export async function noteOpenWork(
  { progress, log }: Board,
  { batchId }: BatchJob,
  plan: WorkPlan,
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
