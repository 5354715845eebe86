/**
 * Which versions of an inbox were taken, up to a number of them. Only a saving of reads: one that is not remembered is asked of the
 * store again. What a whole round over the inbox did not meet any more is forgotten.
 */
export class TakenDrops {
  #now = new Set<string>();
  #before = new Set<string>();

  /** Whether it is remembered; then it stays so for another round. */
  has(mark: string, most: number): boolean {
    if (this.#now.has(mark)) return true;
    if (!this.#before.delete(mark)) return false;
    this.add(mark, most);
    return true;
  }

  add(mark: string, most: number): void {
    if (this.#now.size < most) this.#now.add(mark);
  }

  endRound(): void {
    this.#before = this.#now;
    this.#now = new Set();
  }
}
