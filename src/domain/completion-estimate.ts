/** Shards of a batch that are not decided. */
export interface OpenWork {
  /** Upper bound of the tokens they take. */
  readonly tokens: number;
  /** Virtual times of the one before the first of them, and of the last (`shard-priority`). */
  readonly first: number;
  readonly last: number;
}

/** Tokens of other batches that the queue gives out before the last shard of virtual time `last`. */
export function tokensAhead(last: number, others: Iterable<OpenWork>): number {
  let tokens = 0;
  for (const other of others) {
    if (other.first > last) continue;
    const span = other.last - other.first;
    // Its shards are spread evenly behind `first`, up to `last`.
    tokens += span > 0 ? other.tokens * Math.min(1, (last - other.first) / span) : other.tokens;
  }
  return tokens;
}

/** Speed of the fleet and where the figure comes from. */
export interface FleetSpeed {
  readonly tokensPerSecond: number;
  readonly workers: number;
  /** `measured`: by the workers that run now; `last_known`: by the last one that ran, taken as one worker. */
  readonly basis: 'measured' | 'last_known';
}

export const secondsFor = (tokens: number, { tokensPerSecond }: FleetSpeed): number => tokens / tokensPerSecond;
