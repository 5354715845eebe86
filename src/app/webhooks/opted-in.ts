import type { Receiver } from '../../contract/stored-webhooks.js';
import type { WebhookEventType } from '../../contract/webhook-event.js';
import type { World } from '../world.js';
import { endpointsFor } from './choose-receivers.js';

/** Who asks for news is believed for this long: a sweep over many batches must not list the endpoints for each. */
const freshMs = 15_000;

/** Endpoints that ask for an event of running batches, as they were a moment ago. */
export class OptedIn {
  readonly #world: Pick<World, 'store' | 'tenants' | 'clock'>;
  readonly #type: WebhookEventType;
  readonly #known = new Map<string, { readonly atMs: number; readonly found: Promise<Receiver[]> }>();

  constructor(world: Pick<World, 'store' | 'tenants' | 'clock'>, type: WebhookEventType) {
    this.#world = world;
    this.#type = type;
  }

  async of(tenant: string): Promise<Receiver[]> {
    const now = this.#world.clock.monotonic();
    const known = this.#known.get(tenant);
    if (known && now - known.atMs < freshMs) return known.found;
    // Set before it is there: batches that are looked at side by side share one read.
    const found = endpointsFor(this.#world, tenant, this.#type);
    this.#known.set(tenant, { atMs: now, found });
    found.catch(() => this.#known.delete(tenant));
    return found;
  }
}
