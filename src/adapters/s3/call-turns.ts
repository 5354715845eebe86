import { AlternatingQueue } from '../../domain/alternating-queue.js';

/**
 * Has one call of the SDK begin in each turn of the event loop. Signing and sending one takes a millisecond or two, and steps that read
 * many objects side by side begin dozens of them at once: everything else in the process would wait for all. Node takes one new
 * connection a turn, too, so what a turn costs is what a client waits that connects. Calls about different folders alternate, so that
 * the many of one tenant are not all before the first of another.
 */
export class CallTurns {
  /** By folder. */
  readonly #waiting = new AlternatingQueue<() => void>();
  /** One was begun in this turn. */
  #begun = false;

  /** Resolves when the call may begin: at once where none has begun in this turn. */
  enter(folder: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#begun) this.#waiting.push(folder, resolve);
      else this.#begin(resolve);
    });
  }

  #begin(resolve: () => void): void {
    this.#begun = true;
    setImmediate(() => {
      this.#begun = false;
      const next = this.#waiting.shift();
      if (next) this.#begin(next);
    });
    resolve();
  }
}
