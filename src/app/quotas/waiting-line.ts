/** Lets so many steps of the same name run at once; the others wait in the order of their calls. */
export class WaitingLine {
  readonly #most: number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(most: number) {
    this.#most = most;
  }

  async run<T>(name: string, step: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name) ?? 0;
    if (running < this.#most) this.#running.set(name, running + 1);
    else
      await new Promise<void>((enter) => {
        const waiting = this.#waiting.get(name);
        if (waiting) waiting.push(enter);
        else this.#waiting.set(name, [enter]);
      });
    try {
      return await step();
    } finally {
      this.#leave(name);
    }
  }

  /** Hands the place to the next, or gives it back. */
  #leave(name: string): void {
    const waiting = this.#waiting.get(name);
    const next = waiting?.shift();
    if (waiting?.length === 0) this.#waiting.delete(name);
    if (next) return next();
    const left = (this.#running.get(name) ?? 1) - 1;
    if (left > 0) this.#running.set(name, left);
    else this.#running.delete(name);
  }
}
