import type { Redis } from 'ioredis';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ListenHandlers, Listener, LiveChannel } from '../../ports/live-channel.js';
import type { Log } from '../../ports/log.js';
import { QueueConnection, unavailable } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';
import { connectForListening } from './redis/connect-redis.js';
import { LivePresence } from './redis/live-presence.js';
import type { RedisTarget } from './redis/redis-target.js';

/**
 * KEYS[1] who listens to the topic
 * ARGV[1] its channel, ARGV[2] the message
 * Returns how many got it at this node; 1 when none did but somebody listens, at another node of the cluster; 0 when nobody does.
 *
 * The key also sends all messages of all topics through one node, so that they stay in order.
 */
const sendScript = `
local told = redis.call('PUBLISH', ARGV[1], ARGV[2])
if told > 0 then return told end
return redis.call('EXISTS', KEYS[1])`;

interface Ear {
  readonly handlers: ListenHandlers;
  /** From when its presence is shown. */
  mark: string | null;
}

/**
 * The live channel on Redis publish/subscribe. Subscriptions have a connection of their own, made when the first is needed. When
 * it breaks, every listener is told at once: what was sent meanwhile is gone, and an answer with a gap is worse than none. A server
 * that hangs keeps its connections, so while somebody listens it is asked for a sign of life, and left when it gives none.
 */
export class RedisLiveChannel implements LiveChannel {
  readonly #calls: QueueConnection;
  readonly #target: RedisTarget;
  readonly #settings: QueueSettings;
  readonly #log: Log;
  readonly #presence: LivePresence;
  readonly #listeners = new Map<string, Ear>();
  #subscriber: QueueConnection<Redis> | null = null;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(calls: QueueConnection, target: RedisTarget, settings: QueueSettings, log: Log) {
    this.#calls = calls;
    this.#target = target;
    this.#settings = settings;
    this.#log = log;
    this.#presence = new LivePresence(calls, settings);
  }

  async listen(topic: string, handlers: ListenHandlers): Promise<Listener> {
    const subscriber = (this.#subscriber ??= this.#connect());
    const ear: Ear = { handlers, mark: null };
    this.#listeners.set(topic, ear);
    try {
      await subscriber.call(() => subscriber.redis.subscribe(this.#channelOf(topic)));
      ear.mark = await this.#presence.enter(topic);
    } catch (error) {
      await this.#forget(topic, ear);
      throw error;
    }
    // The connection may have broken behind the answer.
    if (this.#listeners.get(topic) !== ear) {
      await this.#presence.leave(topic, ear.mark);
      throw unavailable('the connection broke');
    }
    return { close: () => this.#forget(topic, ear) };
  }

  async send(topic: string, text: string): Promise<number> {
    const bytes = Buffer.byteLength(text);
    if (bytes > bounds.liveMessageBytesMax)
      throw new EyrieError('internal_error', `A live message has ${bytes} of ${bounds.liveMessageBytesMax} bytes.`);
    const [key, channel] = [this.#presence.keyOf(topic), this.#channelOf(topic)];
    return Number(await this.#calls.call(() => this.#calls.redis.eval(sendScript, 1, key, channel, text)));
  }

  /** To be called while the connection for calls is still there. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    await Promise.all(this.#dropAll());
    await this.#subscriber?.close();
  }

  #connect(): QueueConnection<Redis> {
    const redis = connectForListening(this.#target, this.#calls.redis);
    const subscriber = new QueueConnection(redis, this.#settings, this.#log, () => {
      // A server that took the connection and is silent; while none has, ioredis goes on by itself.
      if (redis.status === 'connect' || redis.status === 'ready') redis.disconnect(true);
    });
    this.#heartbeat = setInterval(() => {
      if (this.#listeners.size > 0) void subscriber.call(() => redis.ping()).catch(() => undefined);
    }, this.#settings.callTimeoutMs).unref();
    redis.on('message', (channel: string, text: string) =>
      this.#listeners.get(channel.slice(this.#channelOf('').length))?.handlers.onMessage(text),
    );
    redis.on('close', () => {
      void Promise.all(this.#dropAll());
    });
    return subscriber;
  }

  /** Tells all listeners that they hear nothing any more, and then those that send to them. */
  #dropAll(): Promise<void>[] {
    const lost = [...this.#listeners];
    this.#listeners.clear();
    for (const [, { handlers }] of lost) handlers.onLost(unavailable('the connection for live answers broke'));
    return lost.map(([topic, { mark }]) => (mark === null ? Promise.resolve() : this.#presence.leave(topic, mark)));
  }

  async #forget(topic: string, ear: Ear): Promise<void> {
    if (this.#listeners.get(topic) !== ear) return;
    this.#listeners.delete(topic);
    const subscriber = this.#subscriber;
    await Promise.all([
      ear.mark === null ? undefined : this.#presence.leave(topic, ear.mark),
      // When this fails the connection is gone, and the subscription with it.
      subscriber?.call(() => subscriber.redis.unsubscribe(this.#channelOf(topic))).catch(() => undefined),
    ]);
  }

  #channelOf(topic: string): string {
    return `${this.#settings.prefix}:live:${topic}`;
  }
}
