/**
 * What a batch is promised, told without the order under test: while it waits, of every shard that is done it gets its weight (the
 * inverse of its stride) over the weights of all batches that wait. The sum of 1/weights over shards done is one number for all; the
 * promise to a batch is its weight times what the sum grew. Kept in two parts, as it grows to 2^50 while urgent batches add 2^-13.
 */
export class PromisedShare {
  #sum = 0;
  #rest = 0;
  #perShard = 0;
  #done = 0;

  /** The batches that wait are others from now on. */
  setWeights(weights: number): void {
    this.#fold();
    this.#perShard = weights > 0 ? 1 / weights : 0;
  }

  shardDone(): void {
    this.#done++;
  }

  mark(): ShareMark {
    this.#fold();
    return { sum: this.#sum, rest: this.#rest };
  }

  since({ sum, rest }: ShareMark): number {
    this.#fold();
    return this.#sum - sum + (this.#rest - rest);
  }

  #fold(): void {
    const step = this.#done * this.#perShard;
    this.#done = 0;
    const sum = this.#sum + step;
    const added = sum - this.#sum;
    this.#rest += this.#sum - (sum - added) + (step - added);
    this.#sum = sum;
  }
}

export interface ShareMark {
  readonly sum: number;
  readonly rest: number;
}
