import { bounds } from '../../src/domain/bounds.js';
import { EyrieError } from '../../src/domain/errors.js';
import { addClaim, dropClaim, type Claim, type ClaimsState } from '../../src/domain/claims.js';
import { takeToken, type TokenTake } from '../../src/domain/token-bucket.js';
import {
  changeUsage,
  settleUsage,
  usageOf,
  type Usage,
  type UsageChange,
  type UsageState,
} from '../../src/domain/usage.js';
import type { Clock } from '../../src/ports/clock.js';
import type { SharedState } from '../../src/ports/shared-state.js';

/** What the views of several processes have in common. */
export class SharedMemory {
  readonly leases = new Map<string, { holder: MemorySharedState; endMs: number }>();
  readonly buckets = new Map<string, number>();
  readonly usages = new Map<string, { state: UsageState; endMs: number }>();
  readonly claims = new Map<string, ClaimsState>();
}

/** Shared state in memory, as one process sees it. */
export class MemorySharedState implements SharedState {
  /** Every call throws `queue_unavailable` while set. */
  unavailable = false;
  /** Calls so far, failed ones too. */
  calls = 0;
  readonly #clock: Clock;
  readonly #memory: SharedMemory;

  constructor(clock: Clock, memory = new SharedMemory()) {
    this.#clock = clock;
    this.#memory = memory;
  }

  /** Another process beside this one. */
  another(): MemorySharedState {
    return new MemorySharedState(this.#clock, this.#memory);
  }

  /** Forgets everything, as a Redis that was started anew. */
  wipe(): void {
    const { leases, buckets, usages, claims } = this.#memory;
    for (const part of [leases, buckets, usages, claims]) part.clear();
  }

  lease(name: string, ms: number): Promise<boolean> {
    return this.#call((now) => {
      const held = this.#memory.leases.get(name);
      if (held && held.holder !== this && held.endMs > now) return false;
      this.#memory.leases.set(name, { holder: this, endMs: now + ms });
      return true;
    });
  }

  takeToken(name: string, perMinute: number): Promise<Pick<TokenTake, 'taken' | 'left'>> {
    return this.#call((now) => {
      const { taken, left, fullMs } = takeToken(this.#memory.buckets.get(name) ?? null, perMinute, now);
      if (taken) this.#memory.buckets.set(name, fullMs);
      return { taken, left };
    });
  }

  changeUsage(name: string, change: UsageChange, recountMs: number): Promise<Usage> {
    return this.#call((now) => {
      const { state, usage } = changeUsage(this.#usage(name, now), change, now, recountMs);
      this.#memory.usages.set(name, { state, endMs: now + bounds.usageKeptMs });
      return usage;
    });
  }

  settleUsage(name: string, epoch: number, counted: number): Promise<Usage> {
    return this.#call((now) => {
      const known = this.#usage(name, now);
      if (!known) return { counted: null, added: 0, epoch: 0, countAs: null };
      const state = settleUsage(known, epoch, counted);
      this.#memory.usages.set(name, { state, endMs: now + bounds.usageKeptMs });
      return usageOf(state);
    });
  }

  claim(name: string, claim: Claim, keptMs: number): Promise<readonly Claim[]> {
    return this.#call((now) => {
      const { state, earlier } = addClaim(this.#memory.claims.get(name) ?? [], claim, now, keptMs);
      this.#memory.claims.set(name, state);
      return earlier.map(({ claimId, id, amount }) => ({ claimId, id, amount }));
    });
  }

  unclaim(name: string, claimId: string): Promise<{ readonly wasThere: boolean }> {
    return this.#call(() => {
      const known = this.#memory.claims.get(name) ?? [];
      const state = dropClaim(known, claimId);
      this.#memory.claims.set(name, state);
      return { wasThere: state.length < known.length };
    });
  }

  #usage(name: string, now: number): UsageState | null {
    const found = this.#memory.usages.get(name);
    return found && found.endMs > now ? found.state : null;
  }

  #call<T>(step: (nowMs: number) => T): Promise<T> {
    this.calls++;
    if (this.unavailable) return Promise.reject(new EyrieError('queue_unavailable', 'The fake queue is away.'));
    return Promise.resolve(step(this.#clock.monotonic()));
  }
}
