import { AlternatingQueue } from '../../domain/alternating-queue.js';

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
  readonly #waiting = new AlternatingQueue<() => void>();
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

  /**
   * Begins at once where nothing waits and the turn has room, otherwise in a later turn. `key`: whose step it is; each has its turn, so
   * nobody may choose it.
   */
  take(key: string, begin: () => void): void {
    if (this.#waiting.isEmpty && this.#hasRoom()) {
      this.#begin(begin);
      return;
    }
    this.#waiting.push(key, begin);
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
    while (this.#hasRoom()) {
      const begin = this.#waiting.shift();
      if (!begin) break;
      this.#begin(begin);
    }
    this.#connected = false;
    if (!this.#waiting.isEmpty) this.#schedule();
  }
}
