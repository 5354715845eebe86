import { loadAddon } from '../src/adapters/engine-native/load-addon.js';
import type { NativeDtype, NativeIsa } from '../src/adapters/engine-native/native-types.js';
import { openEngine } from '../src/compose/open-engine.js';
import { openModel } from '../src/compose/open-model.js';
import { toRoofline, type Roofline } from './roofline.js';
import { runWorkload } from './run-workload.js';
import { readWorkload } from './workload.js';

export interface OfflineOptions {
  readonly model: string;
  readonly workload: string;
  readonly threads: number;
  readonly slots: number;
  readonly prefillTokens: number;
  readonly dtype: NativeDtype;
  readonly isa: NativeIsa;
}

/** Member names as the drivers of other engines print them. */
export interface OfflineFigures {
  readonly peer: 'eyrie';
  readonly dtype: string;
  readonly threads: number;
  readonly slots: number;
  readonly lines: number;
  readonly prompt_tokens: number;
  readonly output_tokens: number;
  readonly load_s: number;
  readonly wall_s: number;
  readonly useful_tokens_per_s: number;
  readonly output_tokens_per_s: number;
  readonly peak_rss_gib: number;
  readonly isa: string;
  readonly padded_prefill_tokens: number;
  readonly idle_slot_steps: number;
  readonly roofline: Roofline;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/**
 * An offline workload through the engine, greedy and with the end token ignored, so that every engine computes exactly max_tokens
 * tokens a line. Loading and one warm-up line are outside the clock. Baseline: the peers over the same file.
 */
export async function benchOffline(options: OfflineOptions): Promise<OfflineFigures> {
  const lines = readWorkload(options.workload);
  const [first] = lines;
  if (!first) throw new Error(`${options.workload} holds no lines.`);
  const started = performance.now();
  const model = await openModel(options.model, null);
  const { threads, slots, prefillTokens, dtype, isa } = options;
  const engine = await openEngine(model, { device: 'cpu', threads, slots, prefillTokens, dtype, isa });
  await runWorkload(engine, [{ prompt: first.prompt.slice(0, 16), max_tokens: 2 }]);
  const loadSeconds = (performance.now() - started) / 1000;
  const before = engine.nativeReport();
  const { promptTokens, outputTokens, wallSeconds } = await runWorkload(engine, lines);
  const after = engine.nativeReport();
  const peakRssGib = process.resourceUsage().maxRSS / 2 ** 20;
  // In the same minute as the run: the machine may be shared.
  const limits = await loadAddon().measureLimits(threads);
  await engine.close();
  const report = Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - before[name as keyof typeof before]]),
  ) as unknown as typeof after;
  return {
    peer: 'eyrie',
    dtype,
    threads,
    slots,
    lines: lines.length,
    prompt_tokens: promptTokens,
    output_tokens: outputTokens,
    load_s: rounded(loadSeconds, 1),
    wall_s: rounded(wallSeconds, 2),
    useful_tokens_per_s: rounded((promptTokens + outputTokens) / wallSeconds, 2),
    output_tokens_per_s: rounded(outputTokens / wallSeconds, 2),
    peak_rss_gib: rounded(peakRssGib, 2),
    isa: engine.info.kind,
    padded_prefill_tokens: report.paddedPrefillTokens,
    idle_slot_steps: report.idleSlotSteps,
    roofline: toRoofline(model.folder.shape, dtype, report, limits),
  };
}
