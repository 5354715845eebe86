import { bounds } from '../domain/bounds.js';
import { desiredWorkers } from '../domain/desired-workers.js';
import type { FleetLauncher } from '../ports/fleet-launcher.js';
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
  const [{ waiting, active, delayed }, tokensPerSecond] = await Promise.all([
    world.queue.backlog('shard'),
    world.progress.meanSpeed(),
  ]);
  // Active counts too: after all workers died, their jobs are still active and nobody else would see them.
  const count = desiredWorkers({
    openShards: waiting + active + delayed,
    tokensPerShard: bounds.shardTokensMax,
    tokensPerSecond,
    ...rules,
  });
  await launcher.want(count);
  return count;
}
