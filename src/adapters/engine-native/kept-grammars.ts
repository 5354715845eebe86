import { bounds } from '../../domain/bounds.js';

interface Entry<T> {
  readonly tenant: string;
  readonly bytes: number;
  readonly value: T;
}

/**
 * What was compiled last. When it takes too much memory, the tenant that has most loses its oldest: nobody can make another one's
 * schemas be compiled again by bringing many.
 */
export class KeptGrammars<T> {
  /** Oldest use first. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #ofTenants = new Map<string, number>();
  #bytes = 0;

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

  add(key: string, tenant: string, bytes: number, value: T): void {
    this.#remove(key);
    this.#entries.set(key, { tenant, bytes, value });
    this.#count(tenant, bytes);
    while (this.#bytes > bounds.grammarsKeptBytes) this.#removeOldest();
  }

  /** Only if it still has this value. */
  remove(key: string, value: T): void {
    if (this.#entries.get(key)?.value === value) this.#remove(key);
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#count(entry.tenant, -entry.bytes);
  }

  #removeOldest(): void {
    const most = Math.max(...this.#ofTenants.values());
    for (const [key, { tenant }] of this.#entries)
      if (this.#ofTenants.get(tenant) === most) {
        this.#remove(key);
        return;
      }
  }

  #count(tenant: string, change: number): void {
    this.#bytes += change;
    const bytes = (this.#ofTenants.get(tenant) ?? 0) + change;
    if (bytes > 0) this.#ofTenants.set(tenant, bytes);
    else this.#ofTenants.delete(tenant);
  }
}
