import { AlternatingQueue } from '../../domain/alternating-queue.js';

/**
 * Has calls of the SDK begin a few in each turn of the event loop. Signing and sending one takes a millisecond or two, and steps that
 * read many objects side by side begin dozens of them at once: everything else in the process would wait for all. Calls about different
 * folders alternate, so that the many of one tenant are not all before the first of another.
 */
export class CallTurns {
  readonly #perTurn: number;
  /** By folder. */
  readonly #waiting = new AlternatingQueue<() => void>();
  /** Begun in this turn. */
  #begun = 0;

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Resolves when the call may begin: at once where nothing waits and this turn has room. */
  enter(folder: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#begun < this.#perTurn && this.#waiting.isEmpty) this.#begin(resolve);
      else this.#waiting.push(folder, resolve);
    });
  }

  #begin(resolve: () => void): void {
    if (this.#begun++ === 0) setImmediate(() => this.#nextTurn());
    resolve();
  }

  #nextTurn(): void {
    this.#begun = 0;
    while (this.#begun < this.#perTurn) {
      const resolve = this.#waiting.shift();
      if (!resolve) return;
      this.#begin(resolve);
    }
  }
}
