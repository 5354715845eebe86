import type { ShapeReport } from '../contract/batch-object.js';
import type { EngineTotals } from '../ports/engine.js';

/**
 * Charges the engine's padding to shards. Sequences of several shards run side by side, so a padded row belongs to none of them:
 * whatever was wasted since the last shard ended is charged to the shard that ends now. The sums over all shards are exact.
 */
export class ShapeMeter {
  readonly #totals: () => EngineTotals;
  #charged: EngineTotals;

  constructor(totals: () => EngineTotals) {
    this.#totals = totals;
    this.#charged = totals();
  }

  charge(usefulTokens: number): ShapeReport {
    const now = this.#totals();
    const before = this.#charged;
    this.#charged = now;
    return {
      useful_tokens: usefulTokens,
      padded_prefill_tokens: now.paddedPrefillTokens - before.paddedPrefillTokens,
      idle_slot_steps: now.idleSlotSteps - before.idleSlotSteps,
      overrun_tokens: now.overrunTokens - before.overrunTokens,
    };
  }
}

export function addShapes(a: ShapeReport, b: ShapeReport): ShapeReport {
  return {
    useful_tokens: a.useful_tokens + b.useful_tokens,
    padded_prefill_tokens: a.padded_prefill_tokens + b.padded_prefill_tokens,
    idle_slot_steps: a.idle_slot_steps + b.idle_slot_steps,
    overrun_tokens: a.overrun_tokens + b.overrun_tokens,
  };
}
