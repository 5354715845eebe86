import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { mostGoal, type Goal } from './goals.js';

export interface HostCostOptions {
  readonly waiting: number;
  readonly slots: number;
  readonly passes: number;
  readonly prompt: number;
  readonly output: number;
}

export interface HostCostFigures {
  readonly waiting: number;
  readonly slots: number;
  readonly passes: number;
  /** What one pass of the device takes, and the part of it that the scheduler may. */
  readonly pass_us: number;
  readonly budget_us: number;
  readonly mixes: readonly (Mix & { readonly mean_share: number; readonly p99_share: number; readonly goal: Goal })[];
}

/** Of a pass: a device with two passes in flight hides this much and more, but the host has tokens and grammars to look at, too. */
const hostShareMax = 0.05;

const mix = z.object({
  name: z.string(),
  waiting: z.number(),
  /** CPU time: of an arrival and a removal, and of the pass that first fills all slots. */
  arrival_us: z.number(),
  removal_us: z.number(),
  first_pass_us: z.number(),
  start_worst_us: z.number(),
  ends_per_s: z.number(),
  decode_rows: z.number(),
  /** CPU time of a pass with the ends and arrivals that belong to it. */
  mean_us: z.number(),
  p50_us: z.number(),
  p99_us: z.number(),
  worst_us: z.number(),
});
type Mix = z.infer<typeof mix>;

const output = z.object({
  waiting: z.number(),
  slots: z.number(),
  passes: z.number(),
  pass_us: z.number(),
  mixes: z.array(mix),
});

const native = fileURLToPath(new URL('../../native/', import.meta.url));
const run = promisify(execFile);

/** The scheduler of the engine over a simulated device. Its program is built on first use. */
export async function benchHostCost(options: HostCostOptions): Promise<HostCostFigures> {
  const build = `${native}build-lab`;
  const choices = ['-DCMAKE_BUILD_TYPE=Release', '-DEYRIE_LAB=ON', '-DEYRIE_ADDON=OFF'];
  await run('cmake', ['-S', native, '-B', build, '-G', 'Ninja', ...choices]);
  await run('cmake', ['--build', build, '--target', 'lab_host_cost_bench']);
  const { waiting, slots, passes, prompt, output: outputTokens } = options;
  const { stdout } = await run(
    `${build}/lab_host_cost_bench`,
    [waiting, slots, passes, prompt, outputTokens].map(String),
  );
  const figures = output.parse(JSON.parse(stdout));
  const { pass_us: passUs } = figures;
  return {
    ...figures,
    budget_us: hostShareMax * passUs,
    mixes: figures.mixes.map((measured) => ({
      ...measured,
      mean_share: measured.mean_us / passUs,
      p99_share: measured.p99_us / passUs,
      goal: mostGoal(`99 of 100 passes, of ${passUs / 1000} ms`, hostShareMax, measured.p99_us / passUs),
    })),
  };
}
