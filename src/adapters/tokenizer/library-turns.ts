import { AlternatingQueue } from '../../domain/alternating-queue.js';

/**
 * Lets a few texts be tokenized by the library at once. It works on Node's pool threads, which files and look-ups of names need too;
 * they serve whatever was asked first, so the hundreds of texts of a shard would keep all of these waiting. Texts of different
 * tenants alternate.
 */
export class LibraryTurns {
  readonly #waiting = new AlternatingQueue<() => void>();
  #free: number;

  constructor(places: number) {
    this.#free = places;
  }

  async run<T>(tenant: string, step: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(tenant, resolve));
    try {
      return await step();
    } finally {
      // The place goes over to who waits.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
