interface Kept {
  readonly value: object;
  readonly weight: number;
}

/** Values that were used last, up to a number of them and a weight of all. */
export class KeptValues {
  readonly #countMax: number;
  readonly #weightMax: number;
  /** The one not used for longest comes first. */
  readonly #values = new Map<string, Kept>();
  #weight = 0;

  constructor(countMax: number, weightMax: number) {
    this.#countMax = countMax;
    this.#weightMax = weightMax;
  }

  get weight(): number {
    return this.#weight;
  }

  get size(): number {
    return this.#values.size;
  }

  get(name: string): object | undefined {
    const kept = this.#values.get(name);
    if (!kept) return undefined;
    this.#values.delete(name);
    this.#values.set(name, kept);
    return kept.value;
  }

  /** A value that alone is heavier than all may be is not kept. */
  set(name: string, value: object, weight: number): void {
    this.delete(name);
    if (weight > this.#weightMax) return;
    this.#values.set(name, { value, weight });
    this.#weight += weight;
    for (const [oldest] of this.#values) {
      if (this.#values.size <= this.#countMax && this.#weight <= this.#weightMax) return;
      this.delete(oldest);
    }
  }

  delete(name: string): void {
    this.#weight -= this.#values.get(name)?.weight ?? 0;
    this.#values.delete(name);
  }
}
