import { bounds } from '../../domain/bounds.js';

interface Entry<T> {
  readonly tenant: string;
  readonly value: T;
}

/**
 * What was compiled last. When there is too much of it, the tenant that has most loses its oldest: nobody can make another one's
 * schemas be compiled again by bringing many.
 */
export class KeptGrammars<T> {
  /** Oldest use first. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #counts = new Map<string, number>();

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  add(key: string, tenant: string, value: T): void {
    this.#remove(key);
    this.#entries.set(key, { tenant, value });
    this.#count(tenant, 1);
    while (this.#entries.size > bounds.grammarsKept) this.#removeOldest();
  }

  /** Only if it still has this value. */
  remove(key: string, value: T): void {
    if (this.#entries.get(key)?.value === value) this.#remove(key);
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#count(entry.tenant, -1);
  }

  #removeOldest(): void {
    const most = Math.max(...this.#counts.values());
    for (const [key, { tenant }] of this.#entries)
      if (this.#counts.get(tenant) === most) {
        this.#remove(key);
        return;
      }
  }

  #count(tenant: string, change: number): void {
    const count = (this.#counts.get(tenant) ?? 0) + change;
    if (count > 0) this.#counts.set(tenant, count);
    else this.#counts.delete(tenant);
  }
}
