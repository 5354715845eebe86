import {
  changeUsage,
  settleUsage,
  usageOf,
  type Usage,
  type UsageChange,
  type UsageState,
} from '../../domain/usage.js';
import type { Clock } from '../../ports/clock.js';

/** Usages as this process alone knows them: the fallback while the shared ones are away. */
export class LocalUsage {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #states = new Map<string, UsageState>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  change(name: string, change: UsageChange, recountMs: number): Usage {
    const known = this.#states.get(name) ?? null;
    const { state, usage } = changeUsage(known, change, this.#clock.monotonic(), recountMs);
    this.#states.set(name, state);
    return usage;
  }

  settle(name: string, epoch: number, counted: number): Usage | null {
    const known = this.#states.get(name);
    if (!known) return null;
    const state = settleUsage(known, epoch, counted);
    this.#states.set(name, state);
    return usageOf(state);
  }
}
