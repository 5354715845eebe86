import { NativeEngineAdapter } from '../adapters/engine-native/native-engine.js';
import type { NativeDtype, NativeEngineOptions, NativeIsa } from '../adapters/engine-native/native-types.js';
import type { DeviceChoice } from '../domain/engine-choices.js';
import { cpuSizes, cudaSizes, type WantedSizes } from './device-sizes.js';
import type { OpenModel } from './open-model.js';

export interface EngineSettings extends WantedSizes {
  readonly device: DeviceChoice;
  readonly dtype: NativeDtype;
  readonly isa: NativeIsa;
  readonly threads: number;
}

/** What the native engine is opened with. */
export async function nativeOptions(model: OpenModel, settings: EngineSettings): Promise<NativeEngineOptions> {
  const { folder, tokenTable, stopTokenIds } = model;
  const { device, dtype, isa, threads } = settings;
  return {
    modelDirectory: folder.directory,
    config: folder.shape,
    device,
    dtype,
    isa,
    threads,
    cuda: await cudaSizes(device, dtype, folder.shape, settings),
    slots: settings.slots ?? cpuSizes.slots,
    prefillTokens: settings.prefillTokens ?? cpuSizes.prefillTokens,
    slotTokens: folder.shape.contextTokens,
    stopTokenIds,
    tokenBytes: tokenTable?.bytes ?? null,
    tokenByteEnds: tokenTable?.ends ?? null,
  };
}

/** Loads a model's weights into the native engine. */
export async function openEngine(
  model: OpenModel,
  settings: EngineSettings,
  onProgress?: (bytesDone: number, bytesTotal: number) => void,
): Promise<NativeEngineAdapter> {
  const { served, grammars } = model;
  const options = await nativeOptions(model, settings);
  return NativeEngineAdapter.open({ ...options, modelDigest: served.digest, grammars }, onProgress);
}
