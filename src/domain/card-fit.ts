import type { FalconShape } from './falcon-shape.js';
import { kvBytesPerToken, weightBytes, type WeightType } from './model-memory.js';

const mebibyte = 2 ** 20;

/** Classes of accelerator by what they are sold as, with the memory that the smallest common card of the class reports. */
export const cardClasses = [
  { gigabytes: 24, example: 'A10, L4', memoryBytes: 23_028 * mebibyte },
  { gigabytes: 40, example: 'A100 40 GB', memoryBytes: 40_536 * mebibyte },
  { gigabytes: 48, example: 'L40S', memoryBytes: 46_068 * mebibyte },
  { gigabytes: 80, example: 'A100, H100', memoryBytes: 81_559 * mebibyte },
  { gigabytes: 141, example: 'H200', memoryBytes: 143_771 * mebibyte },
] as const;

/** Left to the driver and other processes. */
const usableShare = 0.93;
/** Activations, logits, scratch of the products and captured graphs. */
const workBytes = 2.5 * 1024 * mebibyte;

/**
 * Sequences of the full context that fit on one card beside the weights, with the KV cache in bfloat16; null when the weights or
 * not even one sequence fit.
 */
export function slotsOnCard(shape: FalconShape, type: WeightType, memoryBytes: number): number | null {
  const left = usableShare * memoryBytes - workBytes - weightBytes(shape, type);
  const slots = Math.floor(left / (kvBytesPerToken(shape) * shape.contextTokens));
  return slots >= 1 ? slots : null;
}
