import { bounds } from '../../domain/bounds.js';
import type { LiveMessageBody } from '../../contract/live-message.js';
import type { LiveChannel } from '../../ports/live-channel.js';

/**
 * A worker's side of a live call: numbers its messages and sends them one after another. Chunks that come while a message is
 * under way wait and go together in the next one, so that a slow channel is not flooded.
 */
export class CallOutbox {
  readonly #channel: LiveChannel;
  readonly #topic: string;
  readonly #run: string;
  readonly #onDeaf: (cause: unknown) => void;
  #sent = 0;
  #last: Promise<void> = Promise.resolve();
  #waiting: string[] = [];
  #closed = false;

  /** `onDeaf` is called once: nobody listens any more (`user_cancel`), or the channel has failed (its error). */
  constructor(channel: LiveChannel, topic: string, run: string, onDeaf: (cause: unknown) => void) {
    this.#channel = channel;
    this.#topic = topic;
    this.#run = run;
    this.#onDeaf = onDeaf;
  }

  /** Resolves when it was sent, or could not be. Never throws. */
  send(message: LiveMessageBody): Promise<void> {
    this.#last = this.#last.then(() => this.#send(message));
    return this.#last;
  }

  chunk(text: string): void {
    this.#waiting.push(text);
    if (this.#waiting.length === 1) this.#last = this.#last.then(() => this.#sendWaiting());
  }

  async #sendWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      let bytes = 0;
      const fitting = this.#waiting.findIndex((text) => (bytes += Buffer.byteLength(text)) > bounds.liveInlineBytes);
      const chunks = this.#waiting.splice(0, fitting === -1 ? this.#waiting.length : Math.max(1, fitting));
      await this.#send({ kind: 'chunks', chunks });
    }
  }

  async #send(message: LiveMessageBody): Promise<void> {
    if (this.#closed) return;
    try {
      const text = JSON.stringify({ ...message, run: this.#run, n: this.#sent++ });
      if ((await this.#channel.send(this.#topic, text)) === 0) this.#close('user_cancel');
    } catch (error) {
      this.#close(error);
    }
  }

  #close(cause: unknown): void {
    this.#closed = true;
    this.#waiting = [];
    this.#onDeaf(cause);
  }
}
