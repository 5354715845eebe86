import { cudaCards, cudaLibrary } from '../adapters/engine-native/cuda-cards.js';
import type { NativeCard, NativeCudaOptions } from '../adapters/engine-native/native-types.js';
import type { DeviceChoice, Dtype } from '../domain/engine-choices.js';
import { errorCode } from '../domain/errors.js';
import type { FalconShape } from '../domain/falcon-shape.js';
import { batchRowsMax, planGpu } from '../domain/gpu/plan-gpu.js';

export interface WantedSizes {
  /** Sequences decoded together and token budget of a prefill pack; null: what suits the device. */
  readonly slots: number | null;
  readonly prefillTokens: number | null;
  /** Cards that share the model, 1 where absent; not looked at on the CPU. */
  readonly tensorParallel?: number;
}

export const cpuSizes = { slots: 32, prefillTokens: 512 };
const cardPrefillTokens = 512;
/** Prompt and completion of a sequence as it may be expected: decides how many slots a card's pages are shared by. */
const typicalTokens = 600;

/** What the engine is to use where it takes a card: the plan of the first one that is there. Null where the CPU was asked for. */
export async function cudaSizes(
  device: DeviceChoice,
  dtype: Dtype,
  shape: FalconShape,
  wanted: WantedSizes,
): Promise<NativeCudaOptions | null> {
  if (device === 'cpu') return null;
  const { tensorParallel = 1 } = wanted;
  return {
    library: cudaLibrary(),
    slots: wanted.slots ?? (await plannedSlots(dtype, shape, tensorParallel)),
    prefillTokens: wanted.prefillTokens ?? cardPrefillTokens,
    kvPages: 0,
    cards: tensorParallel,
    keepDense: false,
    keepDown: false,
  };
}

async function plannedSlots(dtype: Dtype, shape: FalconShape, tensorParallel: number): Promise<number> {
  const [card] = await firstCards(1);
  // Whether there is a card, and whether it holds the model, is for the engine to say.
  if (card === undefined || dtype === 'float32') return batchRowsMax;
  const tokensPerSequence = Math.min(typicalTokens, shape.contextTokens);
  const plan = planGpu(shape, card.freeBytes, { weights: dtype, tensorParallel, tokensPerSequence });
  return Math.max(1, plan?.slots ?? batchRowsMax);
}

/** The cards that this process may use, the first so many; none without library or driver. */
export async function firstCards(count: number): Promise<readonly NativeCard[]> {
  try {
    return (await cudaCards()).slice(0, count);
  } catch (error) {
    if (errorCode(error) === 'unsupported_device') return [];
    throw error;
  }
}
