import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import {
  parseRange,
  rangeName,
  rangesToDo,
  type LineRange,
  type RangeNotes,
} from '../../../src/domain/suspect-ranges.js';

interface Outcome {
  readonly attempts: number;
  readonly failures: number;
  readonly answered: ReadonlySet<number>;
  readonly givenUp: ReadonlySet<number>;
}

const linesOf = ({ first, count }: LineRange): number[] => Array.from({ length: count }, (_, at) => first + at);

/** Carries a shard out as a worker does; lines of `bad` always fail. `spentAfter`: failures until the batch has had too many. */
function carryOut(lines: number, bad: ReadonlySet<number>, spentAfter = Infinity): Outcome {
  const notes = new Map<string, RangeNotes>();
  let attempts = 0;
  let failures = 0;
  for (;;) {
    const { run, done, givenUp } = rangesToDo(lines, notes, failures >= spentAfter);
    const all = [...run, ...done, ...givenUp].flatMap(linesOf);
    // Whatever has happened: every line stands in exactly one range.
    expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: lines }, (_, at) => at));
    const [next] = run;
    if (!next)
      return {
        attempts,
        failures,
        answered: new Set(done.flatMap(linesOf)),
        givenUp: new Set(givenUp.flatMap(linesOf)),
      };
    attempts++;
    const before = notes.get(rangeName(next)) ?? { failures: 0, done: false };
    const fails = linesOf(next).some((line) => bad.has(line));
    if (fails) failures++;
    notes.set(rangeName(next), fails ? { ...before, failures: before.failures + 1 } : { ...before, done: true });
  }
}

describe('a suspect shard', () => {
  test('without a bad line is run in few ranges', () => {
    expect(carryOut(64, new Set())).toMatchObject({ attempts: 2, failures: 0 });
    expect(carryOut(1, new Set()).attempts).toBe(1);
  });

  test('with one bad line costs four failures at most, whatever its size', () => {
    for (const lines of [1, 2, 31, 32, 33, 64, 200, 256])
      for (const bad of new Set([0, Math.floor(lines / 2), lines - 1])) {
        const { failures, givenUp } = carryOut(lines, new Set([bad]));
        expect([...givenUp]).toEqual([bad]);
        expect(failures).toBeLessThanOrEqual(2 + bounds.lineAttemptsMax);
      }
  });

  test('gives up its bad lines and no others, with any set of them', () => {
    const shard = fc
      .integer({ min: 1, max: 256 })
      .chain((lines) =>
        fc.tuple(fc.constant(lines), fc.uniqueArray(fc.integer({ min: 0, max: lines - 1 }), { maxLength: 12 })),
      );
    fc.assert(
      fc.property(shard, ([lines, bad]) => {
        const { givenUp, answered } = carryOut(lines, new Set(bad));
        expect([...givenUp].toSorted((a, b) => a - b)).toEqual(bad.toSorted((a, b) => a - b));
        expect(answered.size).toBe(lines - bad.length);
      }),
    );
  });

  test('of a batch that has failed too often ends after one more failure in each range, and keeps what it has', () => {
    const every = new Set(Array.from({ length: 256 }, (_, at) => at));
    expect(carryOut(256, every, 0).failures).toBe(256 / bounds.suspectLinesFirst);
    const { failures, answered, givenUp } = carryOut(256, every, 12);
    expect(failures).toBeLessThanOrEqual(12 + 256 / bounds.suspectLinesFirst);
    expect(answered.size + givenUp.size).toBe(256);
    const first = carryOut(64, new Set([31]), 2);
    // The first failure was at 32 lines, the second at 4: the ranges that were done by then stay done.
    expect(first.answered.size).toBe(60);
    expect([...first.givenUp]).toEqual([28, 29, 30, 31]);
  });
});

test('the name of a range is read back', () => {
  for (const range of [
    { first: 0, count: 1 },
    { first: 224, count: 32 },
    { first: 123_456, count: 654_321 },
  ])
    expect(parseRange(rangeName(range))).toEqual(range);
});

test('results of a range and of parts of it, left by two workers at once, are all kept', () => {
  const note = (name: string, failures: number, done: boolean) => [name, { failures, done }] as const;
  const notes = new Map([
    note('000000-000032', 1, false),
    note('000000-000001', 0, true),
    note('000000-000004', 1, true),
    note('000001-000001', 0, true),
    note('000008-000004', 0, true),
  ]);
  const { run, done, givenUp } = rangesToDo(32, notes, true);
  expect(run).toEqual([]);
  expect(done).toEqual([
    { first: 0, count: 4 },
    { first: 8, count: 4 },
  ]);
  expect(givenUp).toEqual([
    { first: 4, count: 4 },
    { first: 12, count: 20 },
  ]);
});
