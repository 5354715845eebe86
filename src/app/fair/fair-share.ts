import type { EyrieError } from '../../domain/errors.js';
import type { ShareState } from '../../ports/share-state.js';

export interface FairShareRules {
  /** Steps that run at once. */
  readonly places: number;
  /** Of these, at most so many of one tenant: what one tenant holds for long leaves room for the others. */
  readonly placesPerTenant: number;
  /** Steps of one tenant that wait at most; further ones are refused. */
  readonly waitingPerTenant: number;
  /** Share of a tenant against others that wait, above 0: one of weight 2 gets twice as much as one of weight 1. */
  readonly weightOf: (tenant: string) => number;
  /** What a step gets that is not let in. */
  readonly refusal: (tenant: string) => EyrieError;
}

export interface EnterOptions {
  /** How much of its share the step takes, above 0, in a unit of the caller's: tokens, bytes, or 1 for every step. */
  readonly cost?: number;
  /** The step waits no longer. */
  readonly signal?: AbortSignal;
}

interface Waiter {
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
 * that comes now is not behind what others have piled up, and time in which a tenant asked for nothing gives it no claim. A
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
  async enter(tenant: string, { cost = 1, signal }: EnterOptions = {}): Promise<() => void> {
    signal?.throwIfAborted();
    const flow = this.#flowOf(tenant);
    if (this.#hasRoom(flow) && flow.waiting.length === 0) return this.#begin(tenant, flow, cost);
    if (flow.waiting.length >= this.#rules.waitingPerTenant) throw this.#rules.refusal(tenant);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        cost,
        start: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve(this.#begin(tenant, flow, cost));
        },
      };
      const giveUp = (): void => {
        flow.waiting.splice(flow.waiting.indexOf(waiter), 1);
        this.#waiting--;
        reject(signal?.reason as Error);
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
    return this.#hasRoom(flow) && flow.waiting.length === 0 ? this.#begin(tenant, flow, cost) : null;
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

  #hasRoom(flow: Flow): boolean {
    return this.#active < this.#rules.places && flow.active < this.#rules.placesPerTenant;
  }

  #begin(tenant: string, flow: Flow, cost: number): () => void {
    const start = Math.max(flow.next, this.#clock);
    this.#clock = start;
    flow.next = start + cost / this.#rules.weightOf(tenant);
    flow.active++;
    this.#active++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      flow.active--;
      this.#active--;
      this.#fill();
    };
  }

  /** Gives the free places away. */
  #fill(): void {
    for (;;) {
      let first: Flow | null = null;
      for (const flow of this.#flows.values())
        if (flow.waiting.length > 0 && this.#hasRoom(flow) && (first === null || flow.next < first.next)) first = flow;
      const waiter = first?.waiting.shift();
      if (!waiter) return;
      this.#waiting--;
      waiter.start();
    }
  }
}
