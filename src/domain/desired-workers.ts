export interface FleetDemand {
  /** Shards waiting or being worked on. */
  readonly openShards: number;
  /** Upper bound of the tokens of one shard. */
  readonly tokensPerShard: number;
  /** Measured useful tokens per second of one worker; 0 when nothing was measured yet. */
  readonly tokensPerSecond: number;
  /** Goal: the backlog is worked off within this time. */
  readonly drainGoalSeconds: number;
  readonly workersMin: number;
  readonly workersMax: number;
}

/**
 * Backlog in tokens ÷ measured tokens per second ÷ drain goal, at least one while anything is open, within the limits. Before
 * anything was measured one worker is asked for: it is what measures.
 */
export function desiredWorkers(demand: FleetDemand): number {
  if (demand.openShards === 0) return demand.workersMin;
  const backlogTokens = demand.openShards * demand.tokensPerShard;
  const wanted =
    demand.tokensPerSecond > 0 ? Math.ceil(backlogTokens / demand.tokensPerSecond / demand.drainGoalSeconds) : 1;
  // More workers than shards would idle at once.
  return Math.min(demand.workersMax, Math.max(demand.workersMin, 1, Math.min(wanted, demand.openShards)));
}
