import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readFp8Keep } from '../../../src/domain/engine-choices.js';
import type { FalconShape } from '../../../src/domain/falcon-shape.js';
import { bufferBytesOnCard } from '../../../src/domain/gpu/card-buffers.js';
import { planGpu } from '../../../src/domain/gpu/plan-gpu.js';
import { publishedShapes } from '../../../src/domain/gpu/published-shapes.js';
import { cardWeights, kvBytesPerToken, weightBytesOnCard } from '../../../src/domain/model-memory.js';
import { projectRoot } from '../../support/project-imports.js';

/**
 * What native/cuda/card_plan.cc takes of a card, by shape, number format and sizes: native/test/cuda/card_plan_test.cc compares it with the
 * same table. A line that does not hold any more is printed by either test as it is to be.
 */
const table = readFileSync(path.join(projectRoot, 'test/golden/card-plans.csv'), 'utf8').trim().split('\n');
const [header = '', ...lines] = table;
const columns = header.split(',');
const number = z.coerce.number().int();
const row = z.object({
  layers: number,
  hidden: number,
  query_heads: number,
  kv_heads: number,
  head_dim: number,
  ffn: number,
  vocab: number,
  norms: z.enum(['1', '2']),
  tied: z.enum(['true', 'false']),
  weights: z.enum(cardWeights),
  keep: z.string(),
  ranks: number,
  slots: number,
  slot_tokens: number,
  prefill_tokens: number,
  free_bytes: number,
  weight_bytes: number,
  buffer_bytes: number,
  page_bytes: number,
  reserve_bytes: number,
  pages: number,
});

const shapeOf = (of: z.infer<typeof row>): FalconShape => ({
  ...publishedShapes['40b'],
  layers: of.layers,
  hiddenSize: of.hidden,
  queryHeads: of.query_heads,
  kvHeads: of.kv_heads,
  headDim: of.head_dim,
  ffnSize: of.ffn,
  vocabSize: of.vocab,
  normsPerLayer: of.norms === '1' ? 1 : 2,
  tiedHead: of.tied === 'true',
  contextTokens: of.slot_tokens,
});

test.each(lines)('%s', (line) => {
  const cells = line.split(',');
  const of = row.parse(Object.fromEntries(columns.map((name, at) => [name, cells[at]])));
  const shape = shapeOf(of);
  const fp8Keep = of.keep === '-' ? [] : (readFp8Keep(of.keep.replace('+', ',')) ?? []);
  const form = { weights: of.weights, tensorParallel: of.ranks, fp8Keep };
  const sizes = {
    slots: of.slots,
    slotTokens: of.slot_tokens,
    passRows: of.slots + Math.max(of.prefill_tokens, 64),
  };
  const plan = planGpu(shape, of.free_bytes, {
    ...form,
    tokensPerSequence: of.slot_tokens,
    slots: of.slots,
    prefillTokens: of.prefill_tokens,
  });
  const { weight_bytes, buffer_bytes, page_bytes, reserve_bytes, pages } = of;
  expect({
    weight_bytes: weightBytesOnCard(shape, form),
    buffer_bytes: bufferBytesOnCard(shape, form, sizes),
    page_bytes: (kvBytesPerToken(shape) * 256) / of.ranks,
    pages: plan?.kvPages ?? 0,
  }).toEqual({ weight_bytes, buffer_bytes, page_bytes, pages });
  if (plan !== null)
    expect(plan).toMatchObject({
      weightBytes: weight_bytes,
      bufferBytes: buffer_bytes,
      reserveBytes: reserve_bytes,
      pageBytes: page_bytes,
    });
});

test('the table has every number format, kept products, several cards, and a card that is too small', () => {
  expect(lines.length).toBeGreaterThanOrEqual(20);
  for (const format of cardWeights) expect(table.join('\n')).toContain(`,${format},`);
  expect(table.join('\n')).toContain(',fp8,dense+down,');
  expect(lines.some((line) => line.endsWith(',0'))).toBe(true);
});
