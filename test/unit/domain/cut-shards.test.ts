import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShardCutter, type LineExtent, type ShardCut } from '../../../src/domain/cut-shards.js';

function cut(lines: readonly LineExtent[], linesMax: number, tokensMax: number): ShardCut[] {
  const cutter = new ShardCutter({ firstLinesMax: linesMax, linesMax, tokensMax });
  const shards = lines.map((line) => cutter.add(line)).filter((shard) => shard !== null);
  const last = cutter.end();
  return last ? [...shards, last] : shards;
}

const linesOf = (tokens: readonly number[]): LineExtent[] =>
  tokens.map((count, at) => ({ start: at * 10, end: at * 10 + 10, tokens: count, answerBytes: 0 }));

test('covers every line once, in order, within both bounds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(50), { maxLength: 100 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 99 }),
      (tokens, linesMax, tokensMax) => {
        const shards = cut(linesOf(tokens), linesMax, tokensMax);
        let line = 0;
        for (const shard of shards) {
          expect(shard.firstLine).toBe(line);
          expect(shard.byteStart).toBe(line * 10);
          expect(shard.count).toBeGreaterThan(0);
          expect(shard.count).toBeLessThanOrEqual(linesMax);
          expect(shard.tokens <= tokensMax || shard.count === 1).toBe(true);
          line += shard.count;
          expect(shard.byteEnd).toBe(line * 10);
        }
        expect(line).toBe(tokens.length);
      },
    ),
  );
});

test('a line over the token bound is a shard of its own', () => {
  expect(cut(linesOf([1, 100, 1]), 10, 50).map(({ count }) => count)).toEqual([1, 1, 1]);
});

test('a shard ends before its answers are estimated to pass their bound', () => {
  const cutter = new ShardCutter({ answerBytesMax: 100 });
  const shards = [50, 50, 1, 99, 500, 1, 1]
    .map((answerBytes, at) => cutter.add({ start: at, end: at + 1, tokens: 1, answerBytes }))
    .filter((shard) => shard !== null);
  expect([...shards, cutter.end()].map((shard) => shard?.count)).toEqual([2, 2, 1, 2]);
});

test('the first shards are small, so that results show early; those behind them are not', () => {
  const cutter = new ShardCutter({ firstShards: 2, firstLinesMax: 3, linesMax: 5, tokensMax: 1000 });
  const shards = linesOf(Array.from({ length: 18 }, () => 1))
    .map((line) => cutter.add(line))
    .filter((shard) => shard !== null);
  expect([...shards, cutter.end()].map((shard) => shard?.count)).toEqual([3, 3, 5, 5, 2]);
});

test('a shard holds no more different grammars than its bound of memory, the same one as often as its lines ask for it', () => {
  const cutter = new ShardCutter({ grammarBytesMax: 100 });
  const shards = ['a', 'b', 'a', 'b', 'c', 'a', null, 'd', 'large', 'large', 'a'].map((key, at) =>
    cutter.add({
      start: at,
      end: at + 1,
      answerBytes: 0,
      tokens: 1,
      ...(key === null ? {} : { grammar: { key, bytes: key === 'large' ? 200 : 50 } }),
    }),
  );
  expect([...shards, cutter.end()].flatMap((shard) => (shard ? [shard.count] : []))).toEqual([4, 3, 1, 1, 1, 1]);
});
