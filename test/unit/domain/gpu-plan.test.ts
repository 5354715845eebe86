import { describe, expect, test } from 'vitest';
import { gpuCards } from '../../../src/domain/gpu/cards.js';
import type { Fp8Keep } from '../../../src/domain/engine-choices.js';
import { decodeStep } from '../../../src/domain/gpu/gpu-speed.js';
import { freeBytesOf, planGpu, type GpuPlanOptions } from '../../../src/domain/gpu/plan-gpu.js';
import { publishedShapes } from '../../../src/domain/gpu/published-shapes.js';
import { reportPlan, type PlanQuestion } from '../../../src/domain/gpu/report-plan.js';
import type { CardWeights } from '../../../src/domain/model-memory.js';

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
  fp8Keep: [],
  tensorParallel: null,
  promptTokens: 300,
  outputTokens: 300,
  ...changes,
});

const onOneCard = (weights: CardWeights) => ({ weights, tensorParallel: 1, fp8Keep: [] });

describe('the speed of the 40B, within 3 % of the budget', () => {
  test.each(budget)('%s, %s, %i rows', (card, weights, rows, at512, at1024, share) => {
    const options = onOneCard(weights);
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

  test('products that stay bfloat16 cost time: those of the feed-forward part more', () => {
    const secondsOf = (fp8Keep: readonly Fp8Keep[]): number =>
      decodeStep(falcon40, gpuCards.h100, 128, 512, { ...onOneCard('fp8'), fp8Keep }).productSeconds;
    expect(secondsOf(['dense']) / secondsOf([])).toBeCloseTo(1.1, 2);
    expect(secondsOf(['down']) / secondsOf([])).toBeCloseTo(1.39, 2);
    const all = decodeStep(falcon40, gpuCards.h100, 128, 512, onOneCard('bfloat16')).productSeconds;
    expect(secondsOf(['dense', 'down'])).toBeLessThan(all);
  });
});

describe('what fits a card', () => {
  const fit = (
    card: keyof typeof gpuCards,
    weights: CardWeights,
    tokensPerSequence = 2048,
    changes: Partial<GpuPlanOptions> = {},
  ) => planGpu(falcon40, freeBytesOf(gpuCards[card]), { ...onOneCard(weights), tokensPerSequence, ...changes });

  test('every byte of the card is accounted for', () => {
    const plan = fit('h100', 'fp8', 600);
    if (plan === null) throw new Error('it fits');
    const { weightBytes, bufferBytes, workspaceBytes, reserveBytes, pageBytes, roomPages } = plan;
    const fixed = weightBytes + bufferBytes + workspaceBytes + reserveBytes;
    const left = freeBytesOf(gpuCards.h100) - (fixed + roomPages * pageBytes);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left).toBeLessThan(pageBytes);
  });

  test.each([
    ['h100', 'fp8', 300_000],
    ['h200', 'bfloat16', 473_000],
    ['h200', 'fp8', 805_000],
  ] as const)(
    'tokens of the cache beside the 40B on %s with %s weights, within 3 %% of the budget',
    (card, weights, tokens) => {
      const room = (fit(card, weights, 600)?.roomPages ?? 0) * 256;
      expect(Math.abs(room / tokens - 1)).toBeLessThan(0.03);
    },
  );

  test('pages of 256 tokens, so that short sequences fill the batch', () => {
    expect(fit('h100', 'fp8', 2048)?.slots).toBe(147);
    expect(fit('h100', 'fp8', 600)?.slots).toBe(256);
    expect(fit('h100', 'fp8', 600)?.fullSequences).toBe(146);
  });

  test('as many pages as there is room for, and no more than the slots can use', () => {
    expect(fit('h200', 'fp8', 600)).toMatchObject({ slots: 256, kvPages: 256 * 8 });
    expect(fit('h200', 'fp8', 600)?.fullSequences).toBeGreaterThan(380);
    expect(fit('h100', 'fp8', 600, { slots: 4 })).toMatchObject({ slots: 4, kvPages: 4 * 8 });
  });

  test('a bfloat16 model does not fit 80 GB, and one with 8-bit weights does not fit 40 GB', () => {
    expect(fit('h100', 'bfloat16')).toBeNull();
    expect(fit('h100', 'bfloat16', 2048, { tensorParallel: 2 })?.fullSequences).toBeGreaterThan(250);
    expect(fit('a100-40', 'int8')).toBeNull();
  });

  test('products that stay bfloat16 take room: the attention output 4 GB, the second product of the MLP 16 GB', () => {
    const weightsOf = (fp8Keep: readonly Fp8Keep[]): number => fit('h100', 'fp8', 600, { fp8Keep })?.weightBytes ?? 0;
    expect(weightsOf(['dense']) - weightsOf([])).toBe(60 * 8192 * (8192 - 4));
    expect(weightsOf(['down']) - weightsOf([])).toBe(60 * 8192 * (32_768 - 4));
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
    [{ gpu: 'l40s', weights: 'bfloat16' }, /does not fit 1 × L40S \(48 GB\).*--count \d, or --weights int8, or a card/],
    [{ gpu: 'a100', fp8Keep: ['down'] }, /--fp8-keep is down, which is for fp8 weights.*on A100 80 GB. Leave it out/],
    [
      { weights: 'int8', fp8Keep: ['down'] },
      /--fp8-keep .* is down, which is for fp8 weights, but the number format is int8/,
    ],
    [{ gpu: 'a100', weights: 'fp8' }, /--weights is fp8, which cannot be served on A100 80 GB.*bfloat16 or int8/],
    // It has FP8, but not with a scale per row.
    [{ gpu: 'l40s', weights: 'fp8' }, /--weights is fp8, which cannot be served on L40S/],
    [{ tensorParallel: 2 }, /--tensor-parallel is 2, but --count only 1/],
    [{ tensorParallel: 3, count: 3 }, /--tensor-parallel is 3; it must divide the model's 8 KV heads.*Choose 1, 2\.$/],
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
