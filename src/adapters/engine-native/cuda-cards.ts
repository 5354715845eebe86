import { fromNative } from './from-native.js';
import { loadAddon } from './load-addon.js';
import type { NativeCard } from './native-types.js';

/** The CUDA library: the file named by `EYRIE_CUDA_LIBRARY`; null: where `npm run native:cuda` puts it. */
export const cudaLibrary = (): string | null => process.env['EYRIE_CUDA_LIBRARY'] || null;

/** The cards that this process may use. Throws `unsupported_device` without library or driver, saying what to do. */
export async function cudaCards(): Promise<readonly NativeCard[]> {
  try {
    return await loadAddon().cudaCards(cudaLibrary());
  } catch (error) {
    throw fromNative(error);
  }
}
