import type { FalconShape } from './falcon-shape.js';

/** The published families, by the layer they are built of; sizes do not matter. */
export type FalconForm = '40B' | '7B' | '11B' | 'rw' | 'other';

/** `newDecoder`: fused rows grouped by KV head, as in the 40B; without it there is one KV head, or one per query head. */
export function falconForm({ parallelAttention, normsPerLayer, alibi }: FalconShape, newDecoder: boolean): FalconForm {
  if (!parallelAttention) return alibi ? 'rw' : 'other';
  if (alibi) return 'other';
  if (normsPerLayer === 2) return '40B';
  return newDecoder ? '11B' : '7B';
}
