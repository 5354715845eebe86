import { randomUUID } from 'node:crypto';
import type { SharedState } from '../../ports/shared-state.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';

/**
 * KEYS[1] the lease
 * ARGV[1] who asks, ARGV[2] for how long (ms)
 * Returns 1 when it is theirs now, else 0.
 */
const leaseScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/** The state that all processes share, in Redis. */
export class RedisSharedState implements SharedState {
  readonly #connection: QueueConnection;
  readonly #settings: QueueSettings;
  readonly #self = randomUUID();

  constructor(connection: QueueConnection, settings: QueueSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  async lease(name: string, ms: number): Promise<boolean> {
    const { redis } = this.#connection;
    const key = `${this.#settings.prefix}:lease:${name}`;
    return this.#connection.call(async () => (await redis.eval(leaseScript, 1, key, this.#self, ms)) === 1);
  }
}
