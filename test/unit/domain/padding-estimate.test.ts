import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRung, estimatePadding } from '../../../src/domain/padding-estimate.js';

const engine = { slots: 4, prefillTokens: 64 };

test('decode shapes are 1, 2, 4 … 32, then steps of 32, and never more than the slots', () => {
  expect([1, 2, 3, 5, 17, 32, 33, 65].map((rows) => decodeRung(rows, 96))).toEqual([1, 2, 4, 8, 32, 32, 64, 96]);
  expect(decodeRung(3, 3)).toBe(3);
});

test('one sequence wastes nothing; three in a shape of four waste a row a pass', () => {
  const one = { promptTokens: 10, outputTokens: 5 };
  expect(estimatePadding([one], engine)).toEqual({ usefulTokens: 15, idleSlotSteps: 0, share: 0 });
  // All three prompts fit into the first pass, which has no decode rows; then four passes of three rows in a shape of four.
  expect(estimatePadding([one, one, one], engine)).toEqual({ usefulTokens: 45, idleSlotSteps: 4, share: 4 / 49 });
});

test('while a long prompt is prefilled in chunks, its slot idles beside those that decode', () => {
  const sequences = [
    { promptTokens: 200, outputTokens: 1 },
    { promptTokens: 1, outputTokens: 100 },
  ];
  // The long prompt takes 64 + 64 + 64 + 8 rows; the other's only row fits into the fourth pass.
  expect(estimatePadding(sequences, engine).idleSlotSteps).toBe(0);
});

test('every token is counted once, and the share is one', () => {
  const sequence = fc.record({
    promptTokens: fc.integer({ min: 1, max: 300 }),
    outputTokens: fc.integer({ min: 1, max: 100 }),
  });
  fc.assert(
    fc.property(
      fc.array(sequence, { maxLength: 60 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 600 }),
      (sequences, slots, prefillTokens) => {
        const { usefulTokens, idleSlotSteps, share } = estimatePadding(sequences, { slots, prefillTokens });
        expect(usefulTokens).toBe(
          sequences.reduce((sum, { promptTokens, outputTokens }) => sum + promptTokens + outputTokens, 0),
        );
        expect(idleSlotSteps).toBeGreaterThanOrEqual(0);
        if (slots === 1) expect(idleSlotSteps).toBe(0);
        expect(share).toBeLessThan(1);
      },
    ),
  );
});
