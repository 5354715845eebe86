import { availableParallelism } from 'node:os';
import { openEngine } from '../src/compose/open-engine.js';
import { openModel, type OpenModel } from '../src/compose/open-model.js';
import { runWorkload } from './run-workload.js';
import { lineTokensMax, logNormalWorkload } from './workload.js';

export interface PaddingOptions {
  readonly model: string;
  readonly lines: number;
  readonly slots: number;
  readonly prefillTokens: number;
}

export interface PaddingFigures {
  readonly lines: number;
  readonly slots: number;
  readonly useful_tokens: number;
  readonly padded_prefill_tokens: number;
  readonly idle_slot_steps: number;
  /** Padding and idle slot-steps over all rows that were computed or held. */
  readonly wasted_share: number;
  /** The same lines in static batches of `slots` in file order, each as long as its longest line: the baseline. */
  readonly static_batches_share: number;
}

/** What static batches would waste on the same lines: left padding of prompts, and slots that wait for the longest answer. */
function staticBatchesShare(
  lines: readonly { prompt: readonly number[]; max_tokens: number }[],
  slots: number,
): number {
  let useful = 0;
  let all = 0;
  for (let at = 0; at < lines.length; at += slots) {
    const batch = lines.slice(at, at + slots);
    useful += batch.reduce((sum, line) => sum + line.prompt.length + line.max_tokens, 0);
    all +=
      slots *
      (Math.max(...batch.map((line) => line.prompt.length)) + Math.max(...batch.map((line) => line.max_tokens)));
  }
  return (all - useful) / all;
}

/** The model with slots that hold every line: of a model made for shorter texts the counts are true all the same. */
function withRoom(model: OpenModel): OpenModel {
  const { folder } = model;
  const contextTokens = Math.max(folder.shape.contextTokens, lineTokensMax);
  return { ...model, folder: { ...folder, shape: { ...folder.shape, contextTokens } } };
}

/** Padding and idle slot-steps of log-normal lines through the real engine. Counts, not times: any machine gives the same. */
export async function benchPadding(options: PaddingOptions): Promise<PaddingFigures> {
  const model = withRoom(await openModel(options.model, null));
  const { slots, prefillTokens } = options;
  const engine = await openEngine(model, {
    device: 'cpu',
    threads: availableParallelism(),
    slots,
    prefillTokens,
    dtype: 'bfloat16',
    isa: 'auto',
  });
  const lines = logNormalWorkload(options.lines, model.folder.shape.vocabSize, {
    promptMedian: 96,
    outputMedian: 48,
    sigma: 0.7,
    seed: 7,
  });
  await runWorkload(engine, lines);
  const report = engine.nativeReport();
  await engine.close();
  const useful = report.promptTokens + report.generatedTokens;
  const wasted = report.paddedPrefillTokens + report.idleSlotSteps;
  return {
    lines: lines.length,
    slots,
    useful_tokens: useful,
    padded_prefill_tokens: report.paddedPrefillTokens,
    idle_slot_steps: report.idleSlotSteps,
    wasted_share: wasted / (useful + wasted),
    static_batches_share: staticBatchesShare(lines, slots),
  };
}
