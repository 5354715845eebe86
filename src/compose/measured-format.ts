import type { NativeEngineAdapter } from '../adapters/engine-native/native-engine.js';
import { scoreByLayers, type LayerScores } from '../adapters/engine-native/score-layers.js';
import { errorCode } from '../domain/errors.js';
import { cpuSizes } from './device-sizes.js';
import { nativeOptions, openEngine, type EngineSettings } from './open-engine.js';
import type { OpenModel } from './open-model.js';

/** One number format of a model, whole or some layers at a time. */
export interface MeasuredFormat {
  open(): Promise<NativeEngineAdapter>;
  scoreByLayers(texts: readonly Uint32Array[], layers: number | null): Promise<LayerScores>;
}

export function measuredFormat(model: OpenModel, settings: EngineSettings): MeasuredFormat {
  return {
    async open() {
      if (settings.device !== 'auto') return openEngine(model, settings);
      // A card that is too small for the whole model computes its layers: that is not left to the CPU.
      try {
        return await openEngine(model, { ...settings, device: 'cuda' });
      } catch (error) {
        if (errorCode(error) !== 'unsupported_device') throw error;
        return openEngine(model, settings);
      }
    },
    async scoreByLayers(texts, layers) {
      // The plan of a card that is too small for the model gives it one slot: its layers have room for more.
      const sizes = { slots: settings.slots ?? cpuSizes.slots };
      return scoreByLayers(await nativeOptions(model, { ...settings, ...sizes }), texts, layers);
    },
  };
}
