import type { OpenWork } from '../domain/completion-estimate.js';

/** Counts of one decided shard. */
export interface ShardProgress {
  readonly completed: number;
  readonly failed: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What a worker tells of itself. */
export interface WorkerReport {
  /** Measured useful tokens per second. */
  readonly tokensPerSecond: number;
  /** Sequences decoded together, and prompt tokens per pass. */
  readonly slots: number;
  readonly prefillTokens: number;
}

export interface FleetState {
  /** Workers that told something lately. */
  readonly workers: readonly WorkerReport[];
  /** What the last worker told that told anything, however long ago; null when none ever did. */
  readonly lastKnown: WorkerReport | null;
  /** Open work by batch, as last noted. */
  readonly work: ReadonlyMap<string, OpenWork>;
}

/**
 * Which shards of a batch are decided and how busy the fleet is, as hints that are quick to read. They may be lost at any time. Of
 * shards the board knows less than the object store, never more: one is recorded only after its part exists. Every failure throws
 * `queue_unavailable`.
 */
export interface ProgressBoard {
  /** Records a decided shard (again is harmless); returns how many shards of the batch are recorded. */
  record(batchId: string, shard: number, progress: ShardProgress): Promise<number>;
  /** Recorded shards by number. */
  read(batchId: string): Promise<ReadonlyMap<number, ShardProgress>>;
  /** Notes the open work of a batch in place of what was noted before. */
  noteWork(batchId: string, work: OpenWork): Promise<void>;
  /** Drops all that is known of a batch. */
  forget(batchId: string): Promise<void>;
  reportWorker(workerId: string, report: WorkerReport): Promise<void>;
  fleet(): Promise<FleetState>;
  /** Mean speed of the workers that told one lately; 0 when none did. */
  meanSpeed(): Promise<number>;
}
