/**
 * Has calls of the SDK begin a few in each turn of the event loop. Signing and sending one takes a millisecond or two, and steps that
 * read many objects side by side begin dozens of them at once: everything else in the process would wait for all.
 */
export class CallTurns {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];
  /** Begun in this turn. */
  #begun = 0;

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Resolves when the call may begin: in their order, at once where this turn has room. */
  enter(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#begun < this.#perTurn && this.#waiting.length === 0) this.#begin(resolve);
      else this.#waiting.push(resolve);
    });
  }

  #begin(resolve: () => void): void {
    if (this.#begun++ === 0) setImmediate(() => this.#nextTurn());
    resolve();
  }

  #nextTurn(): void {
    this.#begun = 0;
    for (const resolve of this.#waiting.splice(0, this.#perTurn)) this.#begin(resolve);
  }
}
