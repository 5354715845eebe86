import { EyrieError } from '../../src/domain/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type { ProgressBoard, ShardProgress } from '../../src/ports/progress-board.js';

/** Progress board in memory, with the age limit of speeds on a fake clock. */
export class MemoryProgress implements ProgressBoard {
  /** Every call throws `queue_unavailable` while set. */
  unavailable = false;
  readonly #clock: Clock;
  readonly #speedTtlMs: number;
  readonly #batches = new Map<string, Map<number, ShardProgress>>();
  readonly #speeds = new Map<string, { readonly speed: number; readonly toldMs: number }>();

  constructor(clock: Clock, speedTtlMs = 120_000) {
    this.#clock = clock;
    this.#speedTtlMs = speedTtlMs;
  }

  record(batchId: string, shard: number, { completed, failed }: ShardProgress): Promise<number> {
    return this.#call(() => {
      const shards = this.#batches.get(batchId) ?? new Map<number, ShardProgress>();
      this.#batches.set(batchId, shards.set(shard, { completed, failed }));
      return shards.size;
    });
  }

  read(batchId: string): Promise<ReadonlyMap<number, ShardProgress>> {
    return this.#call(() => new Map(this.#batches.get(batchId)));
  }

  forget(batchId: string): Promise<void> {
    return this.#call(() => void this.#batches.delete(batchId));
  }

  reportSpeed(workerId: string, tokensPerSecond: number): Promise<void> {
    return this.#call(
      () => void this.#speeds.set(workerId, { speed: tokensPerSecond, toldMs: this.#clock.monotonic() }),
    );
  }

  meanSpeed(): Promise<number> {
    return this.#call(() => {
      const now = this.#clock.monotonic();
      const speeds = [...this.#speeds.values()].filter(({ toldMs }) => now - toldMs < this.#speedTtlMs);
      return speeds.reduce((sum, { speed }) => sum + speed, 0) / Math.max(1, speeds.length);
    });
  }

  /** Redis was emptied. */
  wipe(): void {
    this.#batches.clear();
    this.#speeds.clear();
  }

  #call<T>(step: () => T): Promise<T> {
    if (this.unavailable) return Promise.reject(new EyrieError('queue_unavailable', 'The fake queue is away.'));
    return Promise.resolve(step());
  }
}
