import type { FalconShape } from '../../domain/falcon-shape.js';
import { fromNative } from './from-native.js';
import { loadAddon } from './load-addon.js';
import type { NativeCheckpoint } from './native-types.js';

/** Files and tensors of a checkpoint. Throws coded errors: `model_invalid`, `model_unreadable`, `unsupported_device`. */
export async function inspectCheckpoint(directory: string, shape: FalconShape): Promise<NativeCheckpoint> {
  try {
    return await loadAddon().inspectCheckpoint(directory, shape);
  } catch (error) {
    throw fromNative(error);
  }
}
