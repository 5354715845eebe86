interface Run<T> {
  readonly underWay: Promise<T>;
  /** For those who came after it had begun. */
  next: Promise<T> | null;
}

/** Steps that are done once for all who ask at the same time, by name. Who comes while one is under way shares the next one. */
export class SharedRuns<T> {
  readonly #runs = new Map<string, Run<T>>();

  /** What a step gives that begins now or later. */
  take(name: string, step: () => Promise<T>): Promise<T> {
    const run = this.#runs.get(name);
    if (!run) return this.#begin(name, step);
    const begin = (): Promise<T> => this.#begin(name, step);
    return (run.next ??= run.underWay.then(begin, begin));
  }

  #begin(name: string, step: () => Promise<T>): Promise<T> {
    const run: Run<T> = { underWay: step(), next: null };
    this.#runs.set(name, run);
    const end = (): void => {
      if (run.next === null && this.#runs.get(name) === run) this.#runs.delete(name);
    };
    run.underWay.then(end, end);
    return run.underWay;
  }
}
