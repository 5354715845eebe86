import { z } from 'zod';
import type { OpenWork } from '../../domain/completion-estimate.js';
import type { FleetState, ProgressBoard, ShardProgress, WorkerReport } from '../../ports/progress-board.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';

const workerReport = z.object({
  tokensPerSecond: z.number().min(0),
  slots: z.number().int().min(1),
  prefillTokens: z.number().int().min(1),
});

/** What is not in a form that this version knows counts as not there: these are hints. */
function parseReport(text: string | null | undefined): WorkerReport | null {
  if (text == null) return null;
  try {
    return workerReport.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function parseWork(text: string): OpenWork | null {
  const [tokens, first, last, ...more] = text.split(',').map(Number);
  if (more.length > 0 || tokens === undefined || first === undefined || last === undefined) return null;
  return [tokens, first, last].every(Number.isFinite) ? { tokens, first, last } : null;
}

/** Shards that are read in one answer: a batch may have thousands, and an answer is looked at in one turn of the loop. */
const shardsAtOnce = 1000;

function readShard(progress: Map<number, ShardProgress>, shard: string, counts: string): void {
  const match = /^(\d{1,9}),(\d{1,9}),(\d{1,15}),(\d{1,15})$/.exec(counts);
  if (!match || !/^\d{1,9}$/.test(shard)) return;
  const [completed = 0, failed = 0, inputTokens = 0, outputTokens = 0] = match.slice(1).map(Number);
  progress.set(Number(shard), { completed, failed, inputTokens, outputTokens });
}

/**
 * Progress in Redis. Per batch a hash: shard number → its four counts. One hash with the open work of every batch. Per worker a
 * key with its report that Redis drops when it is old, a set that names those workers, and a key with the last report of all.
 */
export class RedisProgress implements ProgressBoard {
  readonly #connection: QueueConnection;
  readonly #settings: QueueSettings;

  constructor(connection: QueueConnection, settings: QueueSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  record(batchId: string, shard: number, progress: ShardProgress): Promise<number> {
    const key = this.#batchKey(batchId);
    const { completed, failed, inputTokens, outputTokens } = progress;
    return this.#connection.call(async () => {
      const answers = await this.#connection.redis
        .multi()
        .hset(key, String(shard), `${completed},${failed},${inputTokens},${outputTokens}`)
        .pexpire(key, this.#settings.progressTtlMs)
        .hlen(key)
        .exec();
      const [error, count] = answers?.[2] ?? [];
      if (error) throw error;
      return Number(count);
    });
  }

  read(batchId: string): Promise<ReadonlyMap<number, ShardProgress>> {
    return this.#connection.call(async () => {
      const progress = new Map<number, ShardProgress>();
      const key = this.#batchKey(batchId);
      let cursor = '0';
      do {
        const [next, entries] = await this.#connection.redis.hscan(key, cursor, 'COUNT', shardsAtOnce);
        for (let at = 0; at + 1 < entries.length; at += 2)
          readShard(progress, entries[at] ?? '', entries[at + 1] ?? '');
        cursor = next;
      } while (cursor !== '0');
      return progress;
    });
  }

  async noteWork(batchId: string, { tokens, first, last }: OpenWork): Promise<void> {
    await this.#connection.call(() =>
      this.#connection.redis.hset(this.#workKey, batchId, `${tokens},${first},${last}`),
    );
  }

  async forget(batchId: string): Promise<void> {
    await this.#connection.call(() =>
      this.#connection.redis.multi().unlink(this.#batchKey(batchId)).hdel(this.#workKey, batchId).exec(),
    );
  }

  async reportWorker(workerId: string, report: WorkerReport): Promise<void> {
    const { speedTtlMs } = this.#settings;
    const text = JSON.stringify(report);
    await this.#connection.call(() =>
      this.#connection.redis
        .multi()
        .set(this.#workerKey(workerId), text, 'PX', speedTtlMs)
        .set(this.#lastKey, text)
        .sadd(this.#workersKey, workerId)
        .exec(),
    );
  }

  fleet(): Promise<FleetState> {
    return this.#connection.call(async () => {
      const { redis } = this.#connection;
      const [workers, last, noted] = await Promise.all([
        this.#workers(),
        redis.get(this.#lastKey),
        redis.hgetall(this.#workKey),
      ]);
      const work = new Map<string, OpenWork>();
      for (const [batchId, text] of Object.entries(noted)) {
        const open = parseWork(text);
        if (open) work.set(batchId, open);
      }
      return { workers, lastKnown: parseReport(last), work };
    });
  }

  meanSpeed(): Promise<number> {
    return this.#connection.call(async () => {
      const workers = await this.#workers();
      return workers.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0) / Math.max(1, workers.length);
    });
  }

  async #workers(): Promise<readonly WorkerReport[]> {
    const { redis } = this.#connection;
    const names = await redis.smembers(this.#workersKey);
    if (names.length === 0) return [];
    const told = await redis.mget(names.map((name) => this.#workerKey(name)));
    const gone = names.filter((_, i) => told[i] === null);
    if (gone.length > 0) await redis.srem(this.#workersKey, ...gone);
    return told.map(parseReport).filter((report) => report !== null);
  }

  #batchKey(batchId: string): string {
    return `${this.#settings.prefix}:progress:${batchId}`;
  }

  #workerKey(workerId: string): string {
    return `${this.#settings.prefix}:worker:${workerId}`;
  }

  get #workersKey(): string {
    return `${this.#settings.prefix}:workers`;
  }

  get #lastKey(): string {
    return `${this.#settings.prefix}:worker-last`;
  }

  get #workKey(): string {
    return `${this.#settings.prefix}:work`;
  }
}
