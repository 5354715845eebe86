import { fromNative } from './from-native.js';
import { loadAddon } from './load-addon.js';
import type { NativeConversion, NativeConvertOptions } from './native-types.js';

/**
 * Writes the weights of a checkpoint in our form; see `convertCheckpoint` of native-types.ts. An abort ends it within a block of
 * 16 MiB. Throws coded errors, or the reason of the abort.
 */
export async function convertCheckpoint(
  options: NativeConvertOptions,
  onProgress: (bytesDone: number, bytesTotal: number) => void,
  signal: AbortSignal,
): Promise<NativeConversion> {
  signal.throwIfAborted();
  try {
    return await loadAddon().convertCheckpoint(options, (bytesDone, bytesTotal) => {
      onProgress(bytesDone, bytesTotal);
      return !signal.aborted;
    });
  } catch (error) {
    signal.throwIfAborted();
    throw fromNative(error);
  }
}
