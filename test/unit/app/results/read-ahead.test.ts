import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAhead } from '../../../../src/app/results/read-ahead.js';
import { FakeClock } from '../../../support/fake-clock.js';

test('gives all in order and never holds more than its limits, however long each takes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ weight: fc.nat(50), ms: fc.nat(100) }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 8 }),
      async (items, countMax) => {
        const clock = new FakeClock();
        let held = 0;
        let weight = 0;
        const load = async (item: (typeof items)[number]) => {
          held++;
          weight += item.weight;
          expect(held).toBeLessThanOrEqual(countMax);
          expect(weight <= 100 || held === 1).toBe(true);
          await clock.sleep(item.ms);
          return item;
        };
        const seen: (typeof items)[number][] = [];
        const reading = (async () => {
          for await (const item of readAhead(items, load, {
            countMax,
            weightMax: 100,
            weightOf: (one) => one.weight,
          })) {
            seen.push(item);
            await clock.sleep(1);
            held--;
            weight -= item.weight;
          }
        })();
        await clock.advance(100_000);
        await reading;
        expect(seen).toEqual(items);
      },
    ),
    { numRuns: 60, seed: 11 },
  );
});

test('a failure is thrown in its turn, and nothing goes on after it', async () => {
  const clock = new FakeClock();
  let underWay = 0;
  const load = async (n: number): Promise<number> => {
    underWay++;
    await clock.sleep(10 * n);
    underWay--;
    if (n === 2) throw new Error('lost');
    return n;
  };
  const seen: number[] = [];
  const reading = (async () => {
    const limits = { countMax: 4, weightMax: 100, weightOf: () => 1 };
    for await (const n of readAhead([0, 1, 2, 3, 4, 5, 6, 7], load, limits)) seen.push(n);
  })();
  const failed = expect(reading).rejects.toThrow('lost');
  await clock.advance(1000);
  await failed;
  expect(seen).toEqual([0, 1]);
  expect(underWay).toBe(0);
});
