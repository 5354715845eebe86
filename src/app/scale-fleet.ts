import { bounds } from '../domain/bounds.js';
import { desiredWorkers } from '../domain/desired-workers.js';
import type { FleetLauncher } from '../ports/fleet-launcher.js';
import type { Backlog } from '../ports/job-queue.js';
import type { World } from './world.js';

export interface FleetRules {
  readonly workersMin: number;
  readonly workersMax: number;
  readonly drainGoalSeconds: number;
}

/** Looks at the backlog and asks for the workers it needs. Returns their number. */
export async function scaleFleet(
  world: Pick<World, 'queue' | 'progress'>,
  launcher: FleetLauncher,
  rules: FleetRules,
): Promise<number> {
  const [shards, calls, tokensPerSecond] = await Promise.all([
    world.queue.backlog('shard'),
    world.queue.backlog('live'),
    world.progress.meanSpeed(),
  ]);
  // Active counts too: after all workers died, their jobs are still active and nobody else would see them.
  const open = ({ waiting, active, delayed }: Backlog): number => waiting + active + delayed;
  const count = desiredWorkers({
    openShards: open(shards),
    openCalls: open(calls),
    callsPerWorker: bounds.liveCallsPerWorker,
    tokensPerShard: bounds.shardTokensMax,
    tokensPerSecond,
    ...rules,
  });
  await launcher.want(count);
  return count;
}
