export interface LoopTurnsRules {
  /** Steps that are begun in one turn of the event loop. */
  readonly perTurn: number;
  /** While connections come in, one is begun in this many milliseconds instead. */
  readonly connectingMs: number;
}

/**
 * Begins steps (a request, a piece of a download) a few in each turn of the event loop, those of different callers alternately. Node
 * begins each request as soon as it is parsed, and takes one new connection a turn: when a few hundred connect together, all their
 * requests would be carried out before the next connection is taken. So connections are taken first, and steps wait until it is known
 * who else waits.
 */
export class LoopTurns {
  readonly #rules: LoopTurnsRules;
  /** By key, in the order in which they are served. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #scheduled = false;
  /** A connection was taken in this turn. */
  #connected = false;
  /** Steps begun in this turn. */
  #begun = 0;
  #lastBegunMs = -Infinity;

  constructor(rules: LoopTurnsRules) {
    this.#rules = rules;
  }

  /** To be called at each new connection. */
  noteConnection(): void {
    this.#connected = true;
    this.#schedule();
  }

  /** Resolves when the step may begin. */
  enter(key: string): Promise<void> {
    return new Promise((resolve) => this.take(key, resolve));
  }

  /** Begins at once where nothing waits and the turn has room, otherwise in a later turn. `key`: whose step it is. */
  take(key: string, begin: () => void): void {
    if (this.#waiting.size === 0 && this.#hasRoom()) {
      this.#begin(begin);
      return;
    }
    const ofKey = this.#waiting.get(key);
    if (ofKey) ofKey.push(begin);
    else this.#waiting.set(key, [begin]);
    this.#schedule();
  }

  #hasRoom(): boolean {
    if (this.#connected) return performance.now() - this.#lastBegunMs >= this.#rules.connectingMs;
    return this.#begun < this.#rules.perTurn;
  }

  #begin(begin: () => void): void {
    this.#begun++;
    this.#lastBegunMs = performance.now();
    this.#schedule();
    begin();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#scheduled = false;
    this.#begun = 0;
    for (const [key, ofKey] of this.#waiting) {
      if (!this.#hasRoom()) break;
      // At the end of the map, this loop comes to it again after all others.
      this.#waiting.delete(key);
      const begin = ofKey.shift();
      if (ofKey.length > 0) this.#waiting.set(key, ofKey);
      if (begin) this.#begin(begin);
    }
    this.#connected = false;
    if (this.#waiting.size > 0) this.#schedule();
  }
}
