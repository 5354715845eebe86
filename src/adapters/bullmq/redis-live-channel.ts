import type { RedisOptions } from 'ioredis';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ListenHandlers, Listener, LiveChannel } from '../../ports/live-channel.js';
import type { Log } from '../../ports/log.js';
import { QueueConnection, unavailable } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';

/**
 * The live channel on Redis publish/subscribe. Subscriptions have a connection of their own, made when the first is needed. When
 * it breaks, every listener is told at once: what was sent meanwhile is gone, and an answer with a gap is worse than none.
 */
export class RedisLiveChannel implements LiveChannel {
  readonly #calls: QueueConnection;
  readonly #options: RedisOptions;
  readonly #settings: QueueSettings;
  readonly #log: Log;
  readonly #listeners = new Map<string, ListenHandlers>();
  #subscriber: QueueConnection | null = null;

  constructor(calls: QueueConnection, options: RedisOptions, settings: QueueSettings, log: Log) {
    this.#calls = calls;
    this.#options = options;
    this.#settings = settings;
    this.#log = log;
  }

  async listen(topic: string, handlers: ListenHandlers): Promise<Listener> {
    const channel = this.#channelOf(topic);
    const subscriber = (this.#subscriber ??= this.#connect());
    this.#listeners.set(channel, handlers);
    try {
      await subscriber.call(() => subscriber.redis.subscribe(channel));
    } catch (error) {
      await this.#forget(channel, handlers);
      throw error;
    }
    // The connection may have broken behind the answer.
    if (this.#listeners.get(channel) !== handlers) throw unavailable('the connection broke');
    return { close: () => this.#forget(channel, handlers) };
  }

  async send(topic: string, text: string): Promise<number> {
    const bytes = Buffer.byteLength(text);
    if (bytes > bounds.liveMessageBytesMax)
      throw new EyrieError('internal_error', `A live message has ${bytes} of ${bounds.liveMessageBytesMax} bytes.`);
    return this.#calls.call(() => this.#calls.redis.publish(this.#channelOf(topic), text));
  }

  async close(): Promise<void> {
    await this.#subscriber?.close();
  }

  #connect(): QueueConnection {
    const subscriber = new QueueConnection({ ...this.#options, autoResubscribe: false }, this.#settings, this.#log);
    subscriber.redis.on('message', (channel, text) => this.#listeners.get(channel)?.onMessage(text));
    subscriber.redis.on('close', () => {
      const lost = [...this.#listeners.values()];
      this.#listeners.clear();
      for (const { onLost } of lost) onLost(unavailable('the connection for live answers broke'));
    });
    return subscriber;
  }

  async #forget(channel: string, handlers: ListenHandlers): Promise<void> {
    if (this.#listeners.get(channel) !== handlers) return;
    this.#listeners.delete(channel);
    const subscriber = this.#subscriber;
    // When this fails the connection is gone, and the subscription with it.
    await subscriber?.call(() => subscriber.redis.unsubscribe(channel)).catch(() => undefined);
  }

  #channelOf(topic: string): string {
    return `${this.#settings.prefix}:live:${topic}`;
  }
}
