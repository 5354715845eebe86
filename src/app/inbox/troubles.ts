interface Trouble {
  tries: number;
  /** Met in this round over the inbox. */
  isMet: boolean;
}

/**
 * What in an inbox could not be taken, up to a number of entries, by how often it was tried. An entry that a whole round did not meet
 * is forgotten: it was mended, or is gone.
 */
export class Troubles {
  readonly #most: number;
  readonly #entries = new Map<string, Trouble>();

  constructor(most: number) {
    this.#most = most;
  }

  /** How often it was met, with this time; 0: there are too many to remember this one. */
  meet(mark: string): number {
    const known = this.#entries.get(mark);
    if (!known && this.#entries.size >= this.#most) return 0;
    const trouble = known ?? { tries: 0, isMet: true };
    trouble.tries++;
    trouble.isMet = true;
    this.#entries.set(mark, trouble);
    return trouble.tries;
  }

  endRound(): void {
    for (const [mark, trouble] of this.#entries)
      if (trouble.isMet) trouble.isMet = false;
      else this.#entries.delete(mark);
  }
}
