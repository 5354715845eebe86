interface Turn {
  used: number;
  readonly after: string;
  ended: boolean;
}

/**
 * A bounded part of each sweep for each tenant, of things that are met in the order of their keys: what finds no room is met by a
 * later sweep, which goes on behind what was reached.
 */
export class SweepTurns {
  readonly #most: number;
  readonly #turns = new Map<string, Turn>();
  /** Last key that was let in, of tenants whose turn ended before they were through. */
  readonly #reached = new Map<string, string>();

  /** `most`: of a tenant and sweep. */
  constructor(most: number) {
    this.#most = most;
  }

  begin(): void {
    for (const tenant of this.#reached.keys()) if (!this.hasMore(tenant)) this.#reached.delete(tenant);
    this.#turns.clear();
  }

  /** Whether the tenant's turn of this sweep ended before it was through. */
  hasMore(tenant: string): boolean {
    return this.#turns.get(tenant)?.ended === true;
  }

  /** Whether the tenant's thing of this key has its turn now. */
  admits(tenant: string, key: string): boolean {
    const turn = this.#turns.get(tenant) ?? { used: 0, after: this.#reached.get(tenant) ?? '', ended: false };
    this.#turns.set(tenant, turn);
    if (turn.used >= this.#most) turn.ended = true;
    if (turn.ended || key <= turn.after) return false;
    this.#reached.set(tenant, key);
    return true;
  }

  /** What was let in has used so much of the turn. */
  used(tenant: string, amount: number): void {
    const turn = this.#turns.get(tenant);
    if (turn) turn.used += amount;
  }
}
