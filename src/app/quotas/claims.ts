import { bounds } from '../../domain/bounds.js';
import { addClaim, dropClaim, type Claim, type ClaimsState } from '../../domain/claims.js';
import type { Clock } from '../../ports/clock.js';
import type { Ids } from '../../ports/ids.js';
import type { QuickShared } from './quick-shared.js';
import { WaitingLine } from './waiting-line.js';

interface ClaimsWorld {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly quickShared: QuickShared;
}

/** Amount by id of what is in the store. */
export type Held = ReadonlyMap<string, number>;

/** What an act asks for that makes a thing of which a tenant may have so many. */
export interface ClaimRequest {
  /** What is limited, e.g. `open-batches`; with the tenant, the name under which the processes see each other's claims. */
  readonly kind: string;
  readonly tenant: string;
  /** The thing that the act makes, under the id by which `held` knows it: a repeat of the act is then not counted twice. */
  readonly id: string;
  /** How much of the limit it takes; default 1. A whole number. */
  readonly amount?: number;
  readonly limit: number;
  /**
   * What is in the store now. Called after the claim was made; must not miss what was made by then. `earlier`: acts under way that come
   * first, and are counted beside it.
   */
  readonly held: (earlier: readonly Claim[]) => Promise<Held>;
  /** `used`: what others have, and are about to have. */
  readonly refusal: (used: number) => Error;
  /** So long, at most, acts under way that would use the limit up are waited for: some of them may fail. Default: not at all. */
  readonly waitMs?: number;
}

/** What is there without the thing itself, each thing once: what an act under way makes may be in the store already. */
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
 *     return world.claims.take({ kind, tenant, id, limit, held, refusal }, () => makeTheThing(id));
 *
 * Whoever is about to make a thing first makes a claim, then reads what is in the store, and then acts. So of two acts the later one
 * sees the earlier one as a claim, or, when that claim is over, in the store: together they are never over the limit. The store is
 * the truth, and nothing has to be reported when a thing ends. A claim that a crash leaves behind is over after `claimKeptMs`.
 *
 * Claims are kept in Redis and in the process. While Redis is away a process sees its own claims only, and what others have in the store.
 */
export class Claims {
  readonly #world: ClaimsWorld;
  readonly #local = new Map<string, ClaimsState>();
  /** A claim reads all others under its name: of one process no more than these are made at once, the rest wait. */
  readonly #line = new WaitingLine(bounds.claimsAtOnce);
  #self: string | null = null;
  #made = 0;

  constructor(world: ClaimsWorld) {
    this.#world = world;
  }

  /** Does what makes the thing, if the limit leaves room for it; else throws what `refusal` gives. */
  take<T>(request: ClaimRequest, act: () => Promise<T>): Promise<T> {
    const name = `${request.kind}:${request.tenant}`;
    return this.#line.run(name, async () => {
      const claim = { claimId: this.#nextId(), id: request.id, amount: request.amount ?? 1 };
      try {
        await this.#check(name, claim, request);
        return await act();
      } finally {
        await this.#drop(name, claim.claimId);
      }
    });
  }

  async #check(name: string, claim: Claim, request: ClaimRequest): Promise<void> {
    const { clock } = this.#world;
    const room = request.limit - claim.amount;
    const untilMs = clock.monotonic() + (request.waitMs ?? 0);
    for (;;) {
      const earlier = await this.#claim(name, claim);
      const held = await request.held(earlier);
      const used = sumOf(held, earlier, claim.id);
      if (used <= room) return;
      if (sumOf(held, [], claim.id) > room || clock.monotonic() >= untilMs) throw request.refusal(used);
      await clock.sleep(bounds.claimLookMs);
    }
  }

  async #claim(name: string, claim: Claim): Promise<readonly Claim[]> {
    const { state, earlier } = addClaim(
      this.#local.get(name) ?? [],
      claim,
      this.#world.clock.monotonic(),
      bounds.claimKeptMs,
    );
    this.#local.set(name, state);
    const shared = await this.#world.quickShared.ask((redis) => redis.claim(name, claim, bounds.claimKeptMs));
    return shared ? [...earlier, ...shared] : earlier;
  }

  async #drop(name: string, claimId: string): Promise<void> {
    const left = dropClaim(this.#local.get(name) ?? [], claimId);
    if (left.length > 0) this.#local.set(name, left);
    else this.#local.delete(name);
    await this.#world.quickShared.ask((state) => state.unclaim(name, claimId));
  }

  #nextId(): string {
    this.#self ??= this.#world.ids.next('request');
    return `${this.#self}.${this.#made++}`;
  }
}
