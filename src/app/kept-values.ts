interface Kept {
  readonly value: object;
  readonly weight: number;
  readonly owner: Owner;
}

/** What one owner has: the name not used for longest comes first. */
interface Owner {
  readonly name: string;
  readonly names: Set<string>;
  weight: number;
}

/** Values that were used last, up to a number of them and a weight of all. Beyond it, the owner that has most loses its oldest. */
export class KeptValues {
  readonly #countMax: number;
  readonly #weightMax: number;
  readonly #values = new Map<string, Kept>();
  readonly #owners = new Map<string, Owner>();
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
    kept.owner.names.delete(name);
    kept.owner.names.add(name);
    return kept.value;
  }

  /** A value that alone is heavier than all may be is not kept. */
  set(name: string, value: object, weight: number, ownerName = ''): void {
    this.delete(name);
    if (weight > this.#weightMax) return;
    const owner = this.#owners.get(ownerName) ?? { name: ownerName, names: new Set(), weight: 0 };
    this.#owners.set(ownerName, owner);
    owner.names.add(name);
    owner.weight += weight;
    this.#values.set(name, { value, weight, owner });
    this.#weight += weight;
    while (this.#values.size > this.#countMax || this.#weight > this.#weightMax) this.#dropOne();
  }

  delete(name: string): void {
    const kept = this.#values.get(name);
    if (!kept) return;
    const { owner, weight } = kept;
    this.#values.delete(name);
    this.#weight -= weight;
    owner.names.delete(name);
    owner.weight -= weight;
    if (owner.names.size === 0) this.#owners.delete(owner.name);
  }

  #dropOne(): void {
    let most: Owner | undefined;
    for (const owner of this.#owners.values()) if (!most || owner.weight > most.weight) most = owner;
    for (const oldest of most?.names ?? []) return this.delete(oldest);
  }
}
