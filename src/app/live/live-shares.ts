import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ShareState } from '../../ports/share-state.js';
import type { Tenants } from '../../ports/tenants.js';
import { FairShare } from '../fair/fair-share.js';

/** A tenant's part of so many places: others always find one. */
export const placesOfTenant = (places: number): number => Math.max(1, Math.floor(places * bounds.liveTenantShare));

const refusal = (): EyrieError =>
  new EyrieError('service_unavailable', 'This worker has too many sequences that wait.');

/** What the live calls of a worker share: its places for calls, and the engine's slots for their sequences. */
export class LiveShares {
  readonly #calls: FairShare;
  readonly #slots: FairShare;

  constructor(calls: number, slots: number, tenants: Pick<Tenants, 'weight'>) {
    this.#calls = new FairShare({
      places: calls,
      placesPerTenant: placesOfTenant(calls),
      waitingPerTenant: 0,
      tenants,
      refusal,
    });
    this.#slots = new FairShare({
      places: slots,
      placesPerTenant: placesOfTenant(slots),
      waitingPerTenant: calls * bounds.liveSequencesMax,
      tenants,
      refusal,
    });
  }

  /** A place for a call of the tenant; null: it has its part. What it gives leaves the place. */
  enterCall(tenant: string): (() => void) | null {
    return this.#calls.tryEnter(tenant);
  }

  /** Waits until a sequence of so many tokens may enter the engine. Rejects with the signal's reason. */
  enterSlot(tenant: string, tokens: number, signal: AbortSignal): Promise<() => void> {
    return this.#slots.enter(tenant, { cost: tokens, signal });
  }

  /** To be looked at. */
  get calls(): { state(): ShareState } {
    return this.#calls;
  }

  get slots(): { state(): ShareState } {
    return this.#slots;
  }
}
