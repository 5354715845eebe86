import { errorCode, EyrieError } from '../../domain/errors.js';
import type { Engine } from '../../ports/engine.js';
import { compareScores, type QualityComparison, type TextScore } from './compare-scores.js';
import { answerGreedily, scoreTexts, type Prompt } from './score-texts.js';

/** One number format of a model. */
export interface Format {
  /** The whole model. Rejects with `out_of_memory` where it does not fit. */
  open(): Promise<Engine>;
  /** The same scores with `layers` of the model in memory at a time, null: as many as fit. */
  scoreByLayers(
    texts: readonly Uint32Array[],
    layers: number | null,
  ): Promise<{ readonly texts: readonly TextScore[]; readonly layersAtOnce: number }>;
}

export type Which = 'reference' | 'candidate';

export interface QualityMeasurement {
  readonly texts: number;
  /** Whose answers the texts end with; null: they are the prompts alone, since neither format fits whole. */
  readonly answersFrom: Which | null;
  /** Layers that each was computed with at a time; null: all of them. */
  readonly layersAtOnce: Readonly<Record<Which, number | null>>;
  readonly comparison: QualityComparison;
}

/** The whole model for as long as `use` takes; null where it does not fit. */
async function withWhole<T>(format: Format, use: (engine: Engine) => Promise<T>): Promise<T | null> {
  let engine: Engine;
  try {
    engine = await format.open();
  } catch (error) {
    if (errorCode(error) === 'out_of_memory') return null;
    throw error;
  }
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

/**
 * What another number format does to a model: the prompts are answered greedily with the reference, or the candidate where that does
 * not fit, and prompts and answers are then scored with both. One engine is open at a time, so that each may fill the memory; one that
 * does not fit is scored some layers at a time, as both are with `layers`.
 */
export async function measureQuality(
  prompts: readonly Prompt[],
  formats: Readonly<Record<Which, Format>>,
  layers: number | null,
): Promise<QualityMeasurement> {
  const answers = (which: Which) =>
    withWhole(formats[which], async (engine) => {
      const texts = await answerGreedily(engine, prompts);
      return { which, texts, scores: layers === null ? await scoreTexts(engine, texts) : null };
    });
  const answered = (await answers('reference')) ?? (await answers('candidate'));
  const texts = answered?.texts ?? prompts.map(({ ids }) => ids);

  async function score(which: Which) {
    if (answered?.which === which && answered.scores !== null) return { scores: answered.scores, layersAtOnce: null };
    // The reference comes first: the candidate has not been tried yet where that gave the answers.
    if (layers === null && answered?.which === 'reference') {
      const scores = await withWhole(formats[which], (engine) => scoreTexts(engine, texts));
      if (scores !== null) return { scores, layersAtOnce: null };
    }
    const { texts: scores, layersAtOnce } = await formats[which].scoreByLayers(texts, layers);
    return { scores, layersAtOnce };
  }

  if (!texts.some(({ length }) => length > 1))
    throw new EyrieError('invalid_value', 'No token can be scored: every text has one token. Give longer prompts.');
  const [reference, candidate] = [await score('reference'), await score('candidate')];
  return {
    texts: texts.length,
    answersFrom: answered?.which ?? null,
    layersAtOnce: { reference: reference.layersAtOnce, candidate: candidate.layersAtOnce },
    comparison: compareScores(reference.scores, candidate.scores),
  };
}
