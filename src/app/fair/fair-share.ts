import type { EyrieError } from '../../domain/errors.js';
import type { ShareState } from '../../ports/share-state.js';
import type { Tenants } from '../../ports/tenants.js';

export interface FairShareRules {
  /** Steps that run at once. */
  readonly places: number;
  /** Of these, at most so many of one tenant: what one tenant holds for long leaves room for the others. */
  readonly placesPerTenant: number;
  /** Steps of one tenant that wait at most; further ones are refused. */
  readonly waitingPerTenant: number;
  /** Weights are above 0: of tenants that wait, one of weight 2 gets twice as much as one of weight 1. */
  readonly tenants: Pick<Tenants, 'weight'>;
  /** What a step gets that is not let in. */
  readonly refusal: (tenant: string) => EyrieError;
}

export interface EnterOptions {
  /** Places that the step takes, where a place is a byte, say: 1 by default, and never more than one tenant may have. */
  readonly size?: number;
  /** How much of its share the step takes, above 0, in a unit of the caller's: tokens, bytes, or 1 for every step. */
  readonly cost?: number;
  /** The step waits no longer. */
  readonly signal?: AbortSignal;
}

interface Waiter {
  readonly size: number;
  readonly cost: number;
  readonly start: () => void;
}

interface Flow {
  active: number;
  /** Virtual time at which the tenant's next step is due. */
  next: number;
  readonly waiting: Waiter[];
}

/**
 * Shares a bounded number of places out among tenants: start-time fair queueing (Goyal, Vin and Cheng, 1996). A tenant's steps are due
 * one after the other, `cost / weight` of virtual time apart; the place that becomes free goes to the tenant whose next step is due
 * first, and the clock is the time at which that step was due. So tenants that wait all the time get places by their weights, one
 * that comes now does not wait for all that others have queued, and time in which a tenant asked for nothing gives it no credit. A
 * tenant's own steps keep their order.
 */
export class FairShare {
  readonly #rules: FairShareRules;
  readonly #flows = new Map<string, Flow>();
  #clock = 0;
  #active = 0;
  #waiting = 0;

  constructor(rules: FairShareRules) {
    this.#rules = rules;
  }

  /** Does the step when it is its tenant's turn. Rejects as `enter` and as the step do. */
  async run<T>(tenant: string, step: () => Promise<T>, options: EnterOptions = {}): Promise<T> {
    const leave = await this.enter(tenant, options);
    try {
      return await step();
    } finally {
      leave();
    }
  }

  /**
   * Waits for a place. What it gives leaves the place again, once however often it is called. Rejects with the rules' refusal when
   * too many of the tenant's steps wait already, and with `signal.reason`.
   */
  async enter(tenant: string, { size: asked = 1, cost = 1, signal }: EnterOptions = {}): Promise<() => void> {
    signal?.throwIfAborted();
    const flow = this.#flowOf(tenant);
    const size = this.#sizeOf(asked);
    if (this.#maySkipWaiting(flow, size)) return this.#begin(tenant, flow, size, cost);
    if (flow.waiting.length >= this.#rules.waitingPerTenant) throw this.#rules.refusal(tenant);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        size,
        cost,
        start: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve(this.#begin(tenant, flow, size, cost));
        },
      };
      const giveUp = (): void => {
        flow.waiting.splice(flow.waiting.indexOf(waiter), 1);
        this.#waiting--;
        reject(signal?.reason as Error);
        // What was too large for the room that is left may have held up smaller steps.
        this.#fill();
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      if (flow.waiting.length === 0) flow.next = Math.max(flow.next, this.#clock);
      flow.waiting.push(waiter);
      this.#waiting++;
    });
  }

  /** Takes a place if one is free for the tenant, without waiting; else null. */
  tryEnter(tenant: string, cost = 1): (() => void) | null {
    const flow = this.#flowOf(tenant);
    return this.#maySkipWaiting(flow, 1) ? this.#begin(tenant, flow, 1, cost) : null;
  }

  state(): ShareState {
    let most = 0;
    for (const { active } of this.#flows.values()) most = Math.max(most, active);
    return {
      waiting: this.#waiting,
      active: this.#active,
      busiestShare: this.#active === 0 ? 0 : most / this.#active,
    };
  }

  #flowOf(tenant: string): Flow {
    // Nothing runs and nothing waits: no tenant has a claim on another, and nobody need be remembered.
    if (this.#active === 0 && this.#waiting === 0) {
      this.#flows.clear();
      this.#clock = 0;
    }
    let flow = this.#flows.get(tenant);
    if (!flow) this.#flows.set(tenant, (flow = { active: 0, next: this.#clock, waiting: [] }));
    return flow;
  }

  #sizeOf(asked: number): number {
    return Math.min(asked, this.#rules.places, this.#rules.placesPerTenant);
  }

  #withinTenant(flow: Flow, size: number): boolean {
    return flow.active + size <= this.#rules.placesPerTenant;
  }

  #withinAll(size: number): boolean {
    return this.#active + size <= this.#rules.places;
  }

  #maySkipWaiting(flow: Flow, size: number): boolean {
    if (flow.waiting.length > 0 || !this.#withinTenant(flow, size) || !this.#withinAll(size)) return false;
    // A large step that waits for room must get it: small ones do not slip past it for ever.
    return this.#waiting === 0 || this.#firstDue() === null;
  }

  /** Of the tenants whose next step is within their own places, the one that is due first. */
  #firstDue(): Flow | null {
    let first: Flow | null = null;
    for (const flow of this.#flows.values()) {
      const [waiter] = flow.waiting;
      if (waiter && this.#withinTenant(flow, waiter.size) && (first === null || flow.next < first.next)) first = flow;
    }
    return first;
  }

  #begin(tenant: string, flow: Flow, size: number, cost: number): () => void {
    const start = Math.max(flow.next, this.#clock);
    this.#clock = start;
    flow.next = start + cost / this.#rules.tenants.weight(tenant);
    flow.active += size;
    this.#active += size;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      flow.active -= size;
      this.#active -= size;
      this.#fill();
    };
  }

  /** Gives the free places away. */
  #fill(): void {
    for (;;) {
      const first = this.#firstDue();
      const [waiter] = first?.waiting ?? [];
      if (!first || !waiter || !this.#withinAll(waiter.size)) return;
      first.waiting.shift();
      this.#waiting--;
      waiter.start();
    }
  }
}
