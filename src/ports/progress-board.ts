/** Counts of one decided shard. */
export interface ShardProgress {
  readonly completed: number;
  readonly failed: number;
}

/**
 * Which shards of a batch are decided, as a hint that is quick to read. It may be lost at any time and then knows less than the
 * object store, never more: a shard is recorded only after its part exists. Every failure throws `queue_unavailable`.
 */
export interface ProgressBoard {
  /** Records a decided shard (again is harmless); returns how many shards of the batch are recorded. */
  record(batchId: string, shard: number, progress: ShardProgress): Promise<number>;
  /** Recorded shards by number. */
  read(batchId: string): Promise<ReadonlyMap<number, ShardProgress>>;
  forget(batchId: string): Promise<void>;
  /** A worker tells its measured useful tokens per second. */
  reportSpeed(workerId: string, tokensPerSecond: number): Promise<void>;
  /** Mean over the workers that told one lately; 0 when none did. */
  meanSpeed(): Promise<number>;
}
