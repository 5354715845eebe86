import { fromNative } from './from-native.js';
import { loadAddon } from './load-addon.js';
import type { NativeEngineOptions } from './native-types.js';

export interface LayerScores {
  /** In the order of the texts; see `NativeScores`. */
  readonly texts: readonly { readonly chosen: Float32Array; readonly best: Uint32Array }[];
  /** The most layers that were held at a time. */
  readonly layersAtOnce: number;
}

/** `layers` at a time, null: as many as fit; see `scoreByLayers` of native-types.ts. Throws coded errors. */
export async function scoreByLayers(
  options: NativeEngineOptions,
  texts: readonly Uint32Array[],
  layers: number | null,
): Promise<LayerScores> {
  let end = 0;
  const ends = Uint32Array.from(texts, ({ length }) => (end += length));
  const tokenIds = new Uint32Array(end);
  for (const [place, text] of texts.entries()) tokenIds.set(text, (ends[place] ?? 0) - text.length);
  try {
    const { chosen, best, layersAtOnce } = await loadAddon().scoreByLayers(options, {
      tokenIds,
      ends,
      layers: layers ?? 0,
    });
    const scoreOf = ({ length }: Uint32Array, place: number) => {
      const [begin, stop] = [(ends[place] ?? 0) - length, ends[place] ?? 0];
      return { chosen: chosen.subarray(begin, stop), best: best.subarray(begin, stop) };
    };
    return { texts: texts.map(scoreOf), layersAtOnce };
  } catch (error) {
    throw fromNative(error);
  }
}
