import { EyrieError } from '../../src/domain/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type { OpenWork } from '../../src/domain/completion-estimate.js';
import type { FleetState, ProgressBoard, ShardProgress, WorkerReport } from '../../src/ports/progress-board.js';

/** What the board keeps of a part's header. */
const picked = ({ completed, failed, inputTokens, outputTokens }: ShardProgress): ShardProgress => ({
  completed,
  failed,
  inputTokens,
  outputTokens,
});

/** Progress board in memory, with the age limit of speeds on a fake clock. */
export class MemoryProgress implements ProgressBoard {
  /** Every call throws `queue_unavailable` while set. */
  unavailable = false;
  readonly #clock: Clock;
  readonly #speedTtlMs: number;
  readonly #batches = new Map<string, Map<number, ShardProgress>>();
  readonly #work = new Map<string, OpenWork>();
  readonly #workers = new Map<string, { readonly report: WorkerReport; readonly toldMs: number }>();
  #lastKnown: WorkerReport | null = null;

  constructor(clock: Clock, speedTtlMs = 120_000) {
    this.#clock = clock;
    this.#speedTtlMs = speedTtlMs;
  }

  record(batchId: string, shard: number, progress: ShardProgress): Promise<number> {
    return this.#call(() => {
      const shards = this.#batches.get(batchId) ?? new Map<number, ShardProgress>();
      this.#batches.set(batchId, shards.set(shard, picked(progress)));
      return shards.size;
    });
  }

  read(batchId: string): Promise<ReadonlyMap<number, ShardProgress>> {
    return this.#call(() => new Map(this.#batches.get(batchId)));
  }

  noteWork(batchId: string, work: OpenWork): Promise<void> {
    return this.#call(() => void this.#work.set(batchId, work));
  }

  forget(batchId: string): Promise<void> {
    return this.#call(() => {
      this.#batches.delete(batchId);
      this.#work.delete(batchId);
    });
  }

  reportWorker(workerId: string, report: WorkerReport): Promise<void> {
    return this.#call(() => {
      this.#workers.set(workerId, { report, toldMs: this.#clock.monotonic() });
      this.#lastKnown = report;
    });
  }

  fleet(): Promise<FleetState> {
    return this.#call(() => ({ workers: this.#fresh(), lastKnown: this.#lastKnown, work: new Map(this.#work) }));
  }

  meanSpeed(): Promise<number> {
    return this.#call(() => {
      const speeds = this.#fresh();
      return speeds.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0) / Math.max(1, speeds.length);
    });
  }

  #fresh(): WorkerReport[] {
    const now = this.#clock.monotonic();
    return [...this.#workers.values()]
      .filter(({ toldMs }) => now - toldMs < this.#speedTtlMs)
      .map(({ report }) => report);
  }

  /** Redis was emptied. */
  wipe(): void {
    this.#batches.clear();
    this.#work.clear();
    this.#workers.clear();
    this.#lastKnown = null;
  }

  #call<T>(step: () => T): Promise<T> {
    if (this.unavailable) return Promise.reject(new EyrieError('queue_unavailable', 'The fake queue is away.'));
    return Promise.resolve(step());
  }
}
