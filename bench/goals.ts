import type { NativeDtype, NativeLimits } from '../src/adapters/engine-native/native-types.js';

export interface Goal {
  readonly what: string;
  readonly goal: number;
  readonly reached: number;
  /** The part of the goal that is missing; 0 = reached. */
  readonly short: number;
}

const rounded = (value: number): number => Number(value.toFixed(3));

function toGoal(what: string, goal: number, reached: number): Goal {
  return { what, goal, reached: rounded(reached), short: rounded(Math.max(0, 1 - reached / goal)) };
}

/** For figures of which less is better. */
export const mostGoal = (what: string, goal: number, reached: number): Goal => ({
  what: `${what}: at most ${goal}`,
  goal,
  reached: rounded(reached),
  short: reached <= goal ? 0 : rounded(1 - goal / reached),
});

/** Decode reads all weights for each step; a CPU without matrix tiles spends longer multiplying where some rows share a read. */
export const decodeGoal = (ofReadBandwidth: number): Goal =>
  toGoal('decode, of the read bandwidth', 0.85, ofReadBandwidth);

/** Of what the CPU's own instructions for bfloat16 can do, whether or not they were used; null where it has none. */
export function prefillGoal(dtype: NativeDtype, gflops: number, limits: NativeLimits): Goal | null {
  if (dtype === 'float32') return null;
  if (limits.amxBf16Gflops > 0) return toGoal('prefill, of the AMX rate', 0.4, gflops / limits.amxBf16Gflops);
  if (limits.avx512Bf16Gflops > 0)
    return toGoal('prefill, of the AVX512_BF16 rate', 0.8, gflops / limits.avx512Bf16Gflops);
  return null;
}

/** Peers leave more of a CPU with matrix tiles unused. */
export const peerGoal = (isa: string, ratio: number): Goal =>
  toGoal('ours, of this peer', isa === 'amx' ? 1.5 : 1.3, ratio);

export const int8Goal = (ratio: number): Goal => toGoal('8-bit weights, of the best peer', 2, ratio);
