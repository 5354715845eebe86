export interface FleetDemand {
  /** Shards waiting or being worked on. */
  readonly openShards: number;
  /** Calls that somebody waits for, taken up or not, and how many of them one worker takes at once beside its shards. */
  readonly openCalls: number;
  readonly callsPerWorker: number;
  /** Upper bound of the tokens of one shard. */
  readonly tokensPerShard: number;
  /** Measured useful tokens per second of one worker; 0 when nothing was measured yet. */
  readonly tokensPerSecond: number;
  /** Goal: the backlog is worked off within this time. */
  readonly drainGoalSeconds: number;
  readonly workersMin: number;
  readonly workersMax: number;
}

function forShards({ openShards, tokensPerShard, tokensPerSecond, drainGoalSeconds }: FleetDemand): number {
  if (openShards === 0) return 0;
  const backlogTokens = openShards * tokensPerShard;
  const wanted = tokensPerSecond > 0 ? Math.ceil(backlogTokens / tokensPerSecond / drainGoalSeconds) : 1;
  // More workers than shards would idle at once.
  return Math.max(1, Math.min(wanted, openShards));
}

/**
 * Backlog in tokens ÷ measured tokens per second ÷ drain goal, at least one while anything is open, within the limits. Before
 * anything was measured one worker is asked for: it is what measures. Calls that somebody waits for ask for the workers that take
 * them all at once; these do the shards meanwhile.
 */
export function desiredWorkers(demand: FleetDemand): number {
  const forCalls = Math.ceil(demand.openCalls / demand.callsPerWorker);
  const wanted = Math.max(demand.workersMin, forShards(demand), forCalls);
  return Math.min(demand.workersMax, wanted);
}
