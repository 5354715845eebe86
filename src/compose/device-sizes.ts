import { cudaCards, cudaLibrary } from '../adapters/engine-native/cuda-cards.js';
import type { NativeCard, NativeCudaOptions } from '../adapters/engine-native/native-types.js';
import { checkFp8Keep, type DeviceChoice, type Dtype, type Fp8Keep } from '../domain/engine-choices.js';
import { errorCode, EyrieError } from '../domain/errors.js';
import type { FalconShape } from '../domain/falcon-shape.js';
import { batchRowsMax, cardPrefillTokens, planGpu } from '../domain/gpu/plan-gpu.js';
import type { CardForm } from '../domain/model-memory.js';

export interface WantedSizes {
  /** Sequences decoded together and token budget of a prefill pack; null: what suits the device. */
  readonly slots: number | null;
  readonly prefillTokens: number | null;
  /** Cards that share the model, 1 where absent; not looked at on the CPU. */
  readonly tensorParallel?: number;
  /** What stays bfloat16 with fp8, nothing where absent. */
  readonly fp8Keep?: readonly Fp8Keep[];
}

export const cpuSizes = { slots: 32, prefillTokens: 512 };
/** Prompt and completion of a sequence as it may be expected: decides how many slots a card's pages are shared by. */
const typicalTokens = 600;

/** What the engine is to use where it takes a card: the plan of those that are there. Null where the CPU was asked for. */
export async function cudaSizes(
  device: DeviceChoice,
  dtype: Dtype,
  shape: FalconShape,
  wanted: WantedSizes,
): Promise<NativeCudaOptions | null> {
  const { tensorParallel = 1, fp8Keep = [], prefillTokens, slots } = wanted;
  checkFp8Keep(fp8Keep, [dtype], '--dtype (EYRIE_DTYPE)');
  if (device === 'cpu') {
    if (tensorParallel > 1)
      throw new EyrieError(
        'invalid_request',
        `--tensor-parallel (EYRIE_TENSOR_PARALLEL) is ${tensorParallel}, which is for cards, but the device is cpu. Choose --device cuda (EYRIE_DEVICE), or leave it out.`,
      );
    return null;
  }
  const sizes = { tensorParallel, fp8Keep, prefillTokens: prefillTokens ?? cardPrefillTokens };
  return {
    library: cudaLibrary(),
    slots: slots ?? (dtype === 'float32' ? batchRowsMax : await plannedSlots(shape, { ...sizes, weights: dtype })),
    prefillTokens: sizes.prefillTokens,
    kvPages: 0,
    cards: tensorParallel,
    keepDense: fp8Keep.includes('dense'),
    keepDown: fp8Keep.includes('down'),
  };
}

async function plannedSlots(shape: FalconShape, form: CardForm & { readonly prefillTokens: number }): Promise<number> {
  const cards = await firstCards(form.tensorParallel);
  // Whether there is a card is for the engine to say, and by how much one is too small: it needs least with one slot.
  if (cards.length === 0) return batchRowsMax;
  const freeBytes = Math.min(...cards.map((card) => card.freeBytes));
  const tokensPerSequence = Math.min(typicalTokens, shape.contextTokens);
  return planGpu(shape, freeBytes, { ...form, tokensPerSequence })?.slots ?? 1;
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
