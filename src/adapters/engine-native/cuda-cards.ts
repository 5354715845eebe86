import { existsSync } from 'node:fs';
import path from 'node:path';
import { fromNative } from './from-native.js';
import { findAddon, loadAddon } from './load-addon.js';
import type { NativeCard, NativeEngineInfo } from './native-types.js';

/** The CUDA library: the file named by `EYRIE_CUDA_LIBRARY`; null: where `npm run native:cuda` puts it. */
export const cudaLibrary = (): string | null => process.env['EYRIE_CUDA_LIBRARY'] || null;

/**
 * Why an engine took the CPU, where a card may have been expected: a CUDA library is named or built here. Null otherwise: that a machine
 * without one computes on its CPU is no news.
 */
export function whyNoCard({ whyCpu }: Pick<NativeEngineInfo, 'whyCpu'>): string | null {
  // Where the addon looks for one: native/engine/cuda_library.cc.
  const builtHere = path.join(path.dirname(findAddon()), '../build-cuda/libeyrie_cuda.so');
  const expected = cudaLibrary() !== null || existsSync(builtHere);
  return expected ? whyCpu : null;
}

/** The cards that this process may use. Throws `unsupported_device` without library or driver, saying what to do. */
export async function cudaCards(): Promise<readonly NativeCard[]> {
  try {
    return await loadAddon().cudaCards(cudaLibrary());
  } catch (error) {
    throw fromNative(error);
  }
}
