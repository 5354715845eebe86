/**
 * How much is done in one turn of the event loop by all who share it. Who finds it spent waits for another turn, and looks again
 * without a pause before the work: others may have spent that one too.
 */
export class TurnBudget {
  readonly #steps: number;
  #left: number;
  #isRenewing = false;

  constructor(steps: number) {
    this.#steps = steps;
    this.#left = steps;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    // Begun before whoever waits for the next turn, so it is over before they look.
    setImmediate(() => {
      this.#isRenewing = false;
      this.#left = this.#steps;
    });
  }
}
