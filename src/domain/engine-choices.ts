import { EyrieError } from './errors.js';

/** Where the model is computed; `auto` takes a card where there is one that can hold it, else the CPU. */
export const devices = ['auto', 'cpu', 'cuda'] as const;
export type DeviceChoice = (typeof devices)[number];

/** Number formats of the weights. On a card `bfloat16`, `fp8` and `int8`; on the CPU all but `fp8`. */
export const dtypes = ['float32', 'bfloat16', 'int8', 'fp8'] as const;
export type Dtype = (typeof dtypes)[number];

/** The name in `dtypes` for one that other tools use; any other text as it is. */
export const withFullDtypeName = (name: string): string =>
  name === 'bf16' ? 'bfloat16' : name === 'fp32' ? 'float32' : name;

/**
 * Matrices of the layers that may stay bfloat16 where the others are fp8: `dense`, the attention's output product, and `down`, the second
 * one of the feed-forward part. Their inputs are those that rounding to 8 bits hurts most.
 */
export const fp8Keepable = ['dense', 'down'] as const;
export type Fp8Keep = (typeof fp8Keepable)[number];
export const fp8KeepAllowed = `"dense", "down" or "dense,down" is allowed`;

/** The names in a text such as `dense,down`; null where it has others. */
export function readFp8Keep(text: string): readonly Fp8Keep[] | null {
  const names = new Set(text.split(',').map((name) => name.trim()));
  const known = fp8Keepable.filter((name) => names.has(name));
  return known.length === names.size ? known : null;
}

/** Throws `invalid_request` where something is to stay bfloat16, but none of the number formats, chosen by `option`, is fp8. */
export function checkFp8Keep(kept: readonly Fp8Keep[], formats: readonly string[], option: string): void {
  if (kept.length === 0 || formats.includes('fp8')) return;
  throw new EyrieError(
    'invalid_request',
    `--fp8-keep (EYRIE_FP8_KEEP) is ${kept.join(',')}, which is for fp8 weights, but the number format is ${formats.join(' and ')}. Choose ${option} fp8, or leave it out.`,
  );
}

/** Most cards that can share a model. */
export const tensorParallelMax = 8;

/** Widest instruction set that the kernels may use, the widest first; `auto` picks the best that the CPU has. */
export const isas = ['auto', 'amx', 'avx512bf16', 'avx512vnni', 'avx512', 'avx2', 'scalar'] as const;
export type Isa = (typeof isas)[number];
