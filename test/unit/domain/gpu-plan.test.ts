import { describe, expect, test } from 'vitest';
import { gpuCards } from '../../../src/domain/gpu/cards.js';
import { decodeStep } from '../../../src/domain/gpu/gpu-speed.js';
import { planGpu } from '../../../src/domain/gpu/plan-gpu.js';
import { publishedShapes } from '../../../src/domain/gpu/published-shapes.js';
import { reportPlan, type PlanQuestion } from '../../../src/domain/gpu/report-plan.js';
import { weightBytesOnCard, type CardWeights } from '../../../src/domain/model-memory.js';

const falcon40 = publishedShapes['40b'];

type Card = 'h100' | 'h200';

/** Milliseconds of a decode step at 512 and at 1,024 tokens of context, and the share of the roofline at 512: a budget made by hand, kernel by kernel. */
const budget: readonly (readonly [Card, CardWeights, rows: number, at512: number, at1024: number, share: number])[] = [
  ['h100', 'fp8', 128, 20.8, 23.6, 0.78],
  ['h100', 'fp8', 192, 24.0, 28.3, 0.72],
  ['h100', 'fp8', 256, 28.7, 34.3, 0.65],
  ['h200', 'bfloat16', 128, 27.2, 29.2, 0.74],
  ['h200', 'bfloat16', 192, 33.4, 36.4, 0.63],
  ['h200', 'bfloat16', 256, 41.8, 45.8, 0.64],
  ['h200', 'fp8', 128, 15.9, 17.9, 0.7],
  ['h200', 'fp8', 192, 20.2, 23.2, 0.61],
  ['h200', 'fp8', 256, 25.6, 29.5, 0.64],
];

/** Generated tokens per second of the 40B by lengths of prompt and output, by the same budget. */
const endToEnd: readonly (readonly [Card, CardWeights, tokens: number, expected: number])[] = [
  ['h100', 'fp8', 128, 6000],
  ['h100', 'fp8', 300, 5600],
  ['h100', 'fp8', 1000, 3860],
  ['h200', 'fp8', 128, 6430],
  ['h200', 'fp8', 300, 6100],
  ['h200', 'fp8', 1000, 5040],
  ['h200', 'bfloat16', 128, 3580],
  ['h200', 'bfloat16', 300, 3470],
  ['h200', 'bfloat16', 1000, 3080],
];

const question = (changes: Partial<PlanQuestion>): PlanQuestion => ({
  gpu: 'h100',
  count: 1,
  weights: null,
  tensorParallel: null,
  promptTokens: 300,
  outputTokens: 300,
  ...changes,
});

describe('the speed of the 40B, within 3 % of the budget', () => {
  test.each(budget)('%s, %s, %i rows', (card, weights, rows, at512, at1024, share) => {
    const options = { weights, tensorParallel: 1 };
    const short = decodeStep(falcon40, gpuCards[card], rows, 512, options);
    const long = decodeStep(falcon40, gpuCards[card], rows, 1024, options);
    expect(Math.abs(short.seconds / (at512 / 1000) - 1)).toBeLessThan(0.03);
    expect(Math.abs(long.seconds / (at1024 / 1000) - 1)).toBeLessThan(0.03);
    expect(Math.abs(short.rooflineSeconds / short.seconds / share - 1)).toBeLessThan(0.03);
  });

  test.each(endToEnd)('%s, %s, %i + as many tokens', (gpu, weights, tokens, expected) => {
    const answer = reportPlan(falcon40, question({ gpu, weights, promptTokens: tokens, outputTokens: tokens }));
    expect(Math.abs(answer.outputTokensPerSecond / expected - 1)).toBeLessThan(0.03);
  });
});

describe('the weights of the 40B on a card', () => {
  // The same figures are in native/test/cuda/card_plan_test.cc.
  test.each([
    ['bfloat16', 1, 82_610_552_832],
    ['bfloat16', 2, 41_841_917_952],
    ['fp8', 1, 41_855_926_272],
    ['fp8', 2, 21_466_570_752],
    ['fp8', 4, 11_271_892_992],
    ['int8', 4, 11_271_892_992],
  ] as const)('%s, %i ranks', (weights, ranks, bytes) => {
    expect(weightBytesOnCard(falcon40, weights, ranks)).toBe(bytes);
  });
});

describe('what fits a card', () => {
  const fit = (card: keyof typeof gpuCards, weights: CardWeights, tokensPerSequence = 2048, tensorParallel = 1) =>
    planGpu(falcon40, gpuCards[card].memoryBytes, { weights, tensorParallel, tokensPerSequence });

  test('tokens of the cache beside the 40B: 300,000 on an H100 in FP8, 473,000 and 805,000 on an H200', () => {
    expect(fit('h100', 'fp8')?.kvTokens).toBeCloseTo(300_000, -4);
    expect(fit('h200', 'bfloat16')?.kvTokens).toBeCloseTo(473_000, -4);
    expect(fit('h200', 'fp8')?.kvTokens).toBeCloseTo(805_000, -4);
  });

  test('pages of 256 tokens, so that short sequences fill the batch', () => {
    expect(fit('h100', 'fp8', 2048)?.slots).toBe(146);
    expect(fit('h100', 'fp8', 600)?.slots).toBe(256);
    expect(fit('h100', 'fp8')?.fullSequences).toBe(146);
  });

  test('bfloat16 needs two cards of 80 GB, and a model with 8-bit weights does not fit 40 GB', () => {
    expect(fit('h100', 'bfloat16')).toBeNull();
    expect(fit('h100', 'bfloat16', 2048, 2)?.fullSequences).toBeGreaterThan(250);
    expect(fit('a100-40', 'int8')).toBeNull();
  });
});

describe('the answer to a question', () => {
  test('8-bit weights by default: FP8 where the card has it', () => {
    expect(reportPlan(falcon40, question({})).weights).toBe('fp8');
    expect(reportPlan(falcon40, question({ gpu: 'a100' })).weights).toBe('int8');
  });

  test('cards that hold a model each are workers; those that cannot share one', () => {
    expect(reportPlan(falcon40, question({ count: 4 }))).toMatchObject({ tensorParallel: 1, workers: 4 });
    expect(reportPlan(falcon40, question({ count: 4, weights: 'bfloat16' }))).toMatchObject({
      tensorParallel: 2,
      workers: 2,
    });
    const one = reportPlan(falcon40, question({})).outputTokensPerSecond;
    expect(reportPlan(falcon40, question({ count: 4 })).outputTokensPerSecond).toBeCloseTo(4 * one, 6);
  });

  test.each([
    [{ weights: 'bfloat16' }, /does not fit 1 × H100 SXM \(80 GB\).*--count 2, or --weights fp8, or a card/],
    [{ gpu: 'a100', weights: 'fp8' }, /--weights is fp8, which cannot be served on A100 80 GB.*bfloat16 or int8/],
    // It has FP8, but not with a scale per row.
    [{ gpu: 'l40s', weights: 'fp8' }, /--weights is fp8, which cannot be served on L40S/],
    [{ tensorParallel: 2 }, /--tensor-parallel is 2, but --count only 1/],
    [{ tensorParallel: 3, count: 3 }, /--tensor-parallel is 3; it must divide the model's 8 KV heads.*1, 2, 4, 8/],
    [{ promptTokens: 2000, outputTokens: 100 }, /take 2100 tokens; the model's context is 2048/],
  ] as const)('%j is refused with the way out', (changes, message) => {
    expect(() => reportPlan(falcon40, question(changes))).toThrow(message);
  });

  test('a model with alibi positions is for the CPU', () => {
    expect(() => reportPlan({ ...falcon40, alibi: true, parallelAttention: false }, question({}))).toThrow(
      /--device cpu/,
    );
  });
});
