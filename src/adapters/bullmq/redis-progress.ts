import type { ProgressBoard, ShardProgress } from '../../ports/progress-board.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';

/**
 * Progress in Redis. Per batch a hash: shard number → `completed,failed`. Per worker a key with its speed that Redis drops when it
 * is old, and a set that names those workers.
 */
export class RedisProgress implements ProgressBoard {
  readonly #connection: QueueConnection;
  readonly #settings: QueueSettings;

  constructor(connection: QueueConnection, settings: QueueSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  record(batchId: string, shard: number, { completed, failed }: ShardProgress): Promise<number> {
    const key = this.#batchKey(batchId);
    return this.#connection.call(async () => {
      const answers = await this.#connection.redis
        .multi()
        .hset(key, String(shard), `${completed},${failed}`)
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
      for (const [shard, counts] of Object.entries(await this.#connection.redis.hgetall(this.#batchKey(batchId)))) {
        const match = /^(\d{1,9}),(\d{1,9})$/.exec(counts);
        if (match && /^\d{1,9}$/.test(shard))
          progress.set(Number(shard), { completed: Number(match[1]), failed: Number(match[2]) });
      }
      return progress;
    });
  }

  async forget(batchId: string): Promise<void> {
    await this.#connection.call(() => this.#connection.redis.unlink(this.#batchKey(batchId)));
  }

  async reportSpeed(workerId: string, tokensPerSecond: number): Promise<void> {
    const { prefix, speedTtlMs } = this.#settings;
    await this.#connection.call(() =>
      this.#connection.redis
        .multi()
        .set(this.#speedKey(workerId), String(tokensPerSecond), 'PX', speedTtlMs)
        .sadd(`${prefix}:speeds`, workerId)
        .exec(),
    );
  }

  meanSpeed(): Promise<number> {
    const workersKey = `${this.#settings.prefix}:speeds`;
    return this.#connection.call(async () => {
      const workers = await this.#connection.redis.smembers(workersKey);
      if (workers.length === 0) return 0;
      const told = await this.#connection.redis.mget(workers.map((worker) => this.#speedKey(worker)));
      const gone = workers.filter((_, i) => told[i] === null);
      if (gone.length > 0) await this.#connection.redis.srem(workersKey, ...gone);
      const speeds = told
        .filter((text) => text !== null)
        .map(Number)
        .filter((speed) => Number.isFinite(speed));
      return speeds.length === 0 ? 0 : speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
    });
  }

  #batchKey(batchId: string): string {
    return `${this.#settings.prefix}:progress:${batchId}`;
  }

  #speedKey(workerId: string): string {
    return `${this.#settings.prefix}:speed:${workerId}`;
  }
}
