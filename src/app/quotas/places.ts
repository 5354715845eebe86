import { bounds } from '../../domain/bounds.js';
import { addClaim, dropClaim, type Claim, type ClaimsState } from '../../domain/claims.js';
import type { Ids } from '../../ports/ids.js';
import { QuickShared, type SharedWorld } from './quick-shared.js';
import { WaitingLine } from './waiting-line.js';

interface PlacesWorld extends SharedWorld {
  readonly ids: Ids;
}

/** Amount by id of what lies in the store. */
export type Held = ReadonlyMap<string, number>;

export interface Place {
  /** What is limited, e.g. `open-batches`; with the tenant, the name under which the processes tell each other. */
  readonly kind: string;
  readonly tenant: string;
  /** The thing that the act makes, under the id by which `held` knows it: a repeat of the act is then not counted twice. */
  readonly id: string;
  /** How much of the limit it takes; default 1. A whole number. */
  readonly amount?: number;
  readonly limit: number;
  /** What is in the store now. Called after the claim was made; must not miss what was made by then. */
  readonly held: () => Promise<Held>;
  /** `used`: what others have, and are about to have. */
  readonly refusal: (used: number) => Error;
  /** So long, at most, acts under way that would use the limit up are waited for: some of them may fail. Default: not at all. */
  readonly waitMs?: number;
}

/** What is there without the thing itself, each thing once: an act under way may lie in the store already. */
function sumOf(held: Held, earlier: readonly Claim[], ownId: string): number {
  const amounts = new Map(earlier.map(({ id, amount }) => [id, amount]));
  for (const [id, amount] of held) amounts.set(id, amount);
  amounts.delete(ownId);
  let sum = 0;
  for (const amount of amounts.values()) sum += amount;
  return sum;
}

/**
 * Limits on how many things a tenant may have, which hold under parallel calls of all processes:
 *
 *     return world.places.take({ kind, tenant, id, limit, held, refusal }, () => makeTheThing(id));
 *
 * Whoever is about to make a thing first claims a place, then reads what lies in the store, and then acts. So of two acts the later one sees
 * the earlier one as a claim, or, when that claim is over, in the store: together they are never over the limit. The store is the
 * truth, and nothing has to be told when a thing ends. A claim that a crash leaves behind is over after `placeKeptMs`.
 *
 * Claims lie in Redis and in the process. While Redis is away a process sees its own claims only, and what others have in the store.
 */
export class Places {
  readonly #world: PlacesWorld;
  readonly #shared: QuickShared;
  readonly #local = new Map<string, ClaimsState>();
  /** A claim reads all others under its name: of one process no more than these are made at once, the rest wait. */
  readonly #line = new WaitingLine(bounds.placesAtOnce);
  #self: string | null = null;
  #made = 0;

  constructor(world: PlacesWorld) {
    this.#world = world;
    this.#shared = new QuickShared(world);
  }

  /** Does what makes the thing, if there is a place for it; else throws what `refusal` gives. */
  take<T>(place: Place, act: () => Promise<T>): Promise<T> {
    const name = `${place.kind}:${place.tenant}`;
    return this.#line.run(name, async () => {
      const claim = { claimId: this.#nextId(), id: place.id, amount: place.amount ?? 1 };
      try {
        await this.#check(name, claim, place);
        return await act();
      } finally {
        await this.#drop(name, claim.claimId);
      }
    });
  }

  async #check(name: string, claim: Claim, place: Place): Promise<void> {
    const { clock } = this.#world;
    const room = place.limit - claim.amount;
    const untilMs = clock.monotonic() + (place.waitMs ?? 0);
    for (;;) {
      const earlier = await this.#claim(name, claim);
      const held = await place.held();
      const used = sumOf(held, earlier, claim.id);
      if (used <= room) return;
      if (sumOf(held, [], claim.id) > room || clock.monotonic() >= untilMs) throw place.refusal(used);
      await clock.sleep(bounds.placeLookMs);
    }
  }

  async #claim(name: string, claim: Claim): Promise<readonly Claim[]> {
    const { state, earlier } = addClaim(
      this.#local.get(name) ?? [],
      claim,
      this.#world.clock.monotonic(),
      bounds.placeKeptMs,
    );
    this.#local.set(name, state);
    const shared = await this.#shared.ask((redis) => redis.claim(name, claim, bounds.placeKeptMs));
    return shared ? [...earlier, ...shared] : earlier;
  }

  async #drop(name: string, claimId: string): Promise<void> {
    const left = dropClaim(this.#local.get(name) ?? [], claimId);
    if (left.length > 0) this.#local.set(name, left);
    else this.#local.delete(name);
    await this.#shared.ask((state) => state.unclaim(name, claimId));
  }

  #nextId(): string {
    this.#self ??= this.#world.ids.next('request');
    return `${this.#self}.${this.#made++}`;
  }
}
