import { randomUUID } from 'node:crypto';
import type { QueueConnection } from '../queue-connection.js';
import type { QueueSettings } from '../queue-settings.js';

/**
 * KEYS[1] who listens to a topic
 * ARGV[1] the listener that ends
 * Returns 1 when it was the one, else 0: another has taken the topic since.
 */
const leaveScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** Keys renewed with one round trip. */
const renewedAtOnce = 500;
const renewalsPerLife = 3;

/**
 * Shows in Redis who listens to a topic: a key per topic that is renewed, and that Redis drops soon after its process died. The
 * number of receivers of a publication does not show it, because in a cluster it counts those of one node.
 */
export class LivePresence {
  readonly #calls: QueueConnection;
  readonly #settings: QueueSettings;
  readonly #held = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(calls: QueueConnection, settings: QueueSettings) {
    this.#calls = calls;
    this.#settings = settings;
  }

  /** The key that exists while somebody listens. */
  keyOf(topic: string): string {
    return `${this.#settings.prefix}:listener:${topic}`;
  }

  /** Returns the mark to leave with. Throws `queue_unavailable`. */
  async enter(topic: string): Promise<string> {
    const mark = randomUUID();
    await this.#calls.call(() =>
      this.#calls.redis.set(this.keyOf(topic), mark, 'PX', this.#settings.livePresenceTtlMs),
    );
    this.#held.set(topic, mark);
    this.#timer ??= setInterval(
      () => void this.#renew().catch(() => undefined), // the next one may get through
      this.#settings.livePresenceTtlMs / renewalsPerLife,
    ).unref();
    return mark;
  }

  /** Never throws: a key that cannot be removed ends by itself. */
  async leave(topic: string, mark: string): Promise<void> {
    if (this.#held.get(topic) === mark) this.#held.delete(topic);
    if (this.#held.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    await this.#calls
      .call(() => this.#calls.redis.eval(leaveScript, 1, this.keyOf(topic), mark))
      .catch(() => undefined);
  }

  async #renew(): Promise<void> {
    const held = [...this.#held];
    for (let from = 0; from < held.length; from += renewedAtOnce) {
      await this.#calls.call(() => {
        const pipeline = this.#calls.redis.pipeline();
        for (const [topic, mark] of held.slice(from, from + renewedAtOnce))
          if (this.#held.get(topic) === mark)
            pipeline.set(this.keyOf(topic), mark, 'PX', this.#settings.livePresenceTtlMs);
        return pipeline.exec();
      });
    }
  }
}
