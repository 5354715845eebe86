import { bounds } from '../../domain/bounds.js';

/** How the queue behaves. The defaults are for production; tests and `eyrie dev` shorten the times. */
export interface QueueSettings {
  /** First part of every Redis key. The braces keep all keys in one slot of a cluster. */
  readonly prefix: string;
  /** How long a worker may be silent before its job counts as abandoned. */
  readonly lockMs: number;
  /** How often abandoned jobs are looked for; the worst recovery takes about `lockMs` plus this. */
  readonly stalledCheckMs: number;
  /** A job abandoned more often than this is removed. */
  readonly stalledMax: number;
  /** Starts of one job, hand-backs included, before it is removed. */
  readonly startsMax: number;
  /** Tries of a job that throws retryable errors. */
  readonly attemptsMax: number;
  /** Delay before the second try; doubles with each, shortened by up to half at random. */
  readonly retryDelayMs: number;
  /** Pause of a worker after a failed Redis command. */
  readonly commandRetryMs: number;
  /** A worker that takes no job for this long although jobs wait is made anew. */
  readonly watchdogMs: number;
  /** How long a call waits for a connection, and for its answer, before it throws `queue_unavailable`. */
  readonly connectWaitMs: number;
  readonly callTimeoutMs: number;
  /** How long a closing worker may take for its last commands once its jobs have ended. */
  readonly closeTimeoutMs: number;
  /** Life of a batch's progress after the last record. */
  readonly progressTtlMs: number;
  /** A worker's speed counts for this long after it was told. */
  readonly speedTtlMs: number;
  /** A process that listened to live answers and died counts as a listener for this long. */
  readonly livePresenceTtlMs: number;
}

export const defaultQueueSettings: QueueSettings = Object.freeze({
  prefix: '{eyrie}',
  lockMs: 60_000,
  stalledCheckMs: 15_000,
  stalledMax: bounds.stalledCountMax,
  startsMax: 1000,
  attemptsMax: bounds.shardAttemptsMax,
  retryDelayMs: 1000,
  commandRetryMs: 2000,
  watchdogMs: 60_000,
  connectWaitMs: 2000,
  callTimeoutMs: 10_000,
  closeTimeoutMs: 5000,
  progressTtlMs: 7 * 24 * 3_600_000,
  speedTtlMs: 120_000,
  livePresenceTtlMs: bounds.livePresenceMs,
});
