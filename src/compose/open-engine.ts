import { NativeEngineAdapter } from '../adapters/engine-native/native-engine.js';
import type { NativeDtype, NativeIsa } from '../adapters/engine-native/native-types.js';
import type { OpenModel } from './open-model.js';

export interface EngineSettings {
  readonly dtype: NativeDtype;
  readonly isa: NativeIsa;
  readonly threads: number;
  readonly slots: number;
  readonly prefillTokens: number;
}

/** Loads a model's weights into the native engine. */
export function openEngine(
  model: OpenModel,
  settings: EngineSettings,
  onProgress?: (bytesDone: number, bytesTotal: number) => void,
): Promise<NativeEngineAdapter> {
  const { folder, tokenTable, stopTokenIds, served, grammars } = model;
  return NativeEngineAdapter.open(
    {
      modelDirectory: folder.directory,
      config: folder.shape,
      ...settings,
      slotTokens: folder.shape.contextTokens,
      stopTokenIds,
      tokenBytes: tokenTable?.bytes ?? null,
      tokenByteEnds: tokenTable?.ends ?? null,
      modelDigest: served.digest,
      grammars,
    },
    onProgress,
  );
}
