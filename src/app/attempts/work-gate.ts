/** What is told to stop fetching while a suspect runs alone: the worker's consumers. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

interface Waiter {
  readonly rank: number;
  readonly go: () => void;
}

/**
 * Keeps a suspect apart. Whatever a worker does goes through the gate: usual work side by side, a suspect with nothing beside it,
 * so that a worker that dies blames nobody else. While a suspect waits or runs no further work is fetched; what is under way is
 * finished first. Of several suspects the one with the fewest failures goes first: those that only stood beside a culprit are
 * cleared before it may end the worker again.
 */
export class WorkGate {
  #sharedRunning = 0;
  #aloneRunning = false;
  #holding = false;
  readonly #suspects: Waiter[] = [];
  readonly #others: Waiter[] = [];
  #consumers: readonly Pausable[] = [];

  /** The consumers whose work goes through here. */
  watch(consumers: readonly Pausable[]): void {
    this.#consumers = consumers;
  }

  /** A suspect waits or runs: whoever can be served by another worker should be. */
  get isHeld(): boolean {
    return this.#holding;
  }

  /** Usual work. Waits while a suspect waits or runs. Rejects with the signal's reason when it aborts first. */
  async shared<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(this.#others, 0, signal);
    try {
      return await work();
    } finally {
      this.#sharedRunning--;
      this.#admit();
    }
  }

  /** A suspect of which so many failures are known. Waits until nothing else is under way. */
  async alone<T>(failures: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(this.#suspects, failures, signal);
    try {
      return await work();
    } finally {
      this.#aloneRunning = false;
      this.#admit();
    }
  }

  /** Everybody queues up, and is let in at once when nothing stands against it. */
  #enter(queue: Waiter[], rank: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const leave = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        reject(signal.reason as Error);
        this.#admit();
      };
      const waiter: Waiter = {
        rank,
        go: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      const behind = queue.findIndex((other) => other.rank > rank);
      queue.splice(behind < 0 ? queue.length : behind, 0, waiter);
      this.#admit();
    });
  }

  /** Lets in whoever may go now. Counts them here: between now and their first step nobody may pass them. */
  #admit(): void {
    if (!this.#aloneRunning && this.#sharedRunning === 0) {
      const suspect = this.#suspects.shift();
      if (suspect) {
        this.#aloneRunning = true;
        suspect.go();
      }
    }
    const open = !this.#aloneRunning && this.#suspects.length === 0;
    if (open)
      for (const waiter of this.#others.splice(0)) {
        this.#sharedRunning++;
        waiter.go();
      }
    if (this.#holding !== open) return;
    this.#holding = !open;
    for (const consumer of this.#consumers)
      if (open) consumer.resume();
      else consumer.pause();
  }
}
