import { bounds } from '../../src/domain/bounds.js';
import { EyrieError } from '../../src/domain/errors.js';
import type { ListenHandlers, Listener, LiveChannel } from '../../src/ports/live-channel.js';

const away = (): EyrieError => new EyrieError('queue_unavailable', 'The fake queue is away.');

/** The live channel in memory. A message arrives a moment after it was sent, in order. */
export class MemoryLiveChannel implements LiveChannel {
  /** Every call throws `queue_unavailable` while set. */
  unavailable = false;
  /** Every text sent so far. */
  readonly sent: string[] = [];
  readonly #topics = new Map<string, Set<ListenHandlers>>();

  listen(topic: string, handlers: ListenHandlers): Promise<Listener> {
    if (this.unavailable) return Promise.reject(away());
    const listeners = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, listeners.add(handlers));
    return Promise.resolve({
      close: () => {
        listeners.delete(handlers);
        if (listeners.size === 0 && this.#topics.get(topic) === listeners) this.#topics.delete(topic);
        return Promise.resolve();
      },
    });
  }

  send(topic: string, text: string): Promise<number> {
    if (this.unavailable) return Promise.reject(away());
    if (Buffer.byteLength(text) > bounds.liveMessageBytesMax)
      return Promise.reject(new EyrieError('internal_error', 'The live message is too large.'));
    this.sent.push(text);
    const listeners = this.#topics.get(topic) ?? new Set<ListenHandlers>();
    queueMicrotask(() => {
      for (const handlers of listeners) handlers.onMessage(text);
    });
    return Promise.resolve(listeners.size);
  }

  /** Topics that somebody listens to. */
  topics(): string[] {
    return [...this.#topics.keys()];
  }

  /** Redis was restarted: everybody who listens is told. */
  breakConnections(): void {
    const lost = [...this.#topics.values()].flatMap((listeners) => [...listeners]);
    for (const listeners of this.#topics.values()) listeners.clear();
    this.#topics.clear();
    for (const { onLost } of lost) onLost(away());
  }
}
