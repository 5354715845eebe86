import { bounds } from '../../src/domain/bounds.js';
import { seededRandom } from './random.js';

export interface DrawnBatch {
  readonly tenant: number;
  readonly priority: number;
  readonly secondsLeft: number;
  readonly shards: number;
}

const tenants = 60;
const daySeconds = 86_400;
const shardsMost = 10_000;

/**
 * What users send: most of priority 0, all others too; half with a deadline from a minute to a day; from one shard to `shardsMost`, as
 * many of each order of magnitude. Every fifth time a tenant sends many batches at once.
 */
export class MixedBatches {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** One user's next batches. */
  send(): DrawnBatch[] {
    // Squared: some tenants send far more than others.
    const tenant = Math.floor(tenants * this.#random() ** 2);
    const many = this.#random() < 0.2 ? this.#between(2, 40) : 1;
    const largest = many > 1 ? 200 : shardsMost;
    return Array.from({ length: many }, () => ({ ...this.#draw(tenant), shards: this.#magnitude(largest) }));
  }

  /** A small batch that somebody waits for. */
  urgent(): DrawnBatch {
    const tenant = Math.floor(tenants * this.#random());
    return { ...this.#draw(tenant), priority: this.#between(5, bounds.priorityMax), shards: this.#magnitude(20) };
  }

  #draw(tenant: number): DrawnBatch {
    const plain = this.#random() < 0.5;
    return {
      tenant,
      priority: plain ? 0 : this.#between(bounds.priorityMin, bounds.priorityMax),
      secondsLeft: this.#random() < 0.5 ? daySeconds : 60 * this.#magnitude(daySeconds / 60),
      shards: 1,
    };
  }

  #between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  /** 1 to `most`, each order of magnitude as likely as the others. */
  #magnitude(most: number): number {
    return Math.min(most, Math.floor((most + 1) ** this.#random()));
  }
}
