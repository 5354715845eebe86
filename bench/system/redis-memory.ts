import { Redis } from 'ioredis';

const lookMs = 100;

/** Watches how much memory Redis uses for data, bytes (`used_memory`, without the start-up part). */
export class RedisMemory {
  readonly #redis: Redis;
  readonly #timer: NodeJS.Timeout;
  readonly #startBytes: number;
  #peakBytes = 0;

  private constructor(redis: Redis, startBytes: number) {
    this.#redis = redis;
    this.#startBytes = startBytes;
    this.#timer = setInterval(() => void this.read(), lookMs);
  }

  static async watch(url: string): Promise<RedisMemory> {
    const redis = new Redis(url);
    return new RedisMemory(redis, await usedMemory(redis));
  }

  /** Bytes above those at the start of the watch, now. */
  async read(): Promise<number> {
    const bytes = (await usedMemory(this.#redis)) - this.#startBytes;
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    return bytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#redis.quit();
  }
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? Number.NaN);
}
