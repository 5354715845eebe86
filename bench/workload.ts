import { readFileSync } from 'node:fs';
import { z } from 'zod';

const workloadLine = z.object({ prompt: z.array(z.number().int()).min(1), max_tokens: z.number().int().min(1) });
export type WorkloadLine = z.output<typeof workloadLine>;

/** One JSON line `{"prompt": [ids], "max_tokens": n}` per sequence. */
export function readWorkload(file: string): WorkloadLine[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => workloadLine.parse(JSON.parse(line)));
}

/** A 64-bit mix of its argument: the same workload on every machine. */
function mix(state: bigint): bigint {
  let z1 = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
  z1 = BigInt.asUintN(64, (z1 ^ (z1 >> 30n)) * 0xbf58476d1ce4e5b9n);
  z1 = BigInt.asUintN(64, (z1 ^ (z1 >> 27n)) * 0x94d049bb133111ebn);
  return z1 ^ (z1 >> 31n);
}

/** Uniform numbers in [0, 1), from a seed. */
export function uniform(seed: number): () => number {
  let count = 0n;
  return () => Number(mix((BigInt(seed) << 32n) + count++) >> 11n) / 2 ** 53;
}

/** The longest prompt and the longest answer of a log-normal line, in tokens. */
const promptTokensMax = 1024;
const outputTokensMax = 512;
export const lineTokensMax = promptTokensMax + outputTokensMax;

/** Log-normal lengths, as offline batches have them: few long lines among many short ones. */
export function logNormalWorkload(
  lines: number,
  vocabSize: number,
  options: { promptMedian: number; outputMedian: number; sigma: number; seed: number },
): WorkloadLine[] {
  const next = uniform(options.seed);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const draw = (median: number, most: number): number =>
    Math.max(4, Math.min(most, Math.round(median * Math.exp(options.sigma * gauss()))));
  return Array.from({ length: lines }, () => ({
    prompt: Array.from(
      { length: draw(options.promptMedian, promptTokensMax) },
      () => 12 + Math.floor(next() * (vocabSize - 12)),
    ),
    max_tokens: draw(options.outputMedian, outputTokensMax),
  }));
}
