import { expect, test } from 'vitest';
import { KeptGrammars } from '../../../../src/adapters/engine-native/kept-grammars.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { grammarMemory } from '../../../../src/domain/grammar.js';

/** An eighth of what may be kept. */
const eighth = bounds.grammarsKeptBytes / 8;

test('the latest are kept, up to their memory', () => {
  const kept = new KeptGrammars<number>();
  for (let i = 0; i < 8; i++) kept.add(`${i}`, 'acme', eighth, i);
  expect(kept.get('0')).toBe(0);
  kept.add('new', 'acme', eighth, -1);
  expect([kept.has('0'), kept.has('1'), kept.has('new')]).toEqual([true, false, true]);
});

test('a tenant that brings many loses its own, not those of others', () => {
  const kept = new KeptGrammars<number>();
  for (let i = 0; i < 20; i++) kept.add(`alice ${i}`, 'alice', eighth / 20, i);
  for (let i = 0; i < 50; i++) kept.add(`mallory ${i}`, 'mallory', eighth, i);
  for (let i = 0; i < 20; i++) expect(kept.get(`alice ${i}`)).toBe(i);
  expect([42, 43, 49].map((i) => kept.has(`mallory ${i}`))).toEqual([false, true, true]);
});

test('the memory counts, not the number: a few large ones are more than many small ones', () => {
  const kept = new KeptGrammars<number>();
  for (let i = 0; i < 7; i++) kept.add(`mallory ${i}`, 'mallory', eighth, i);
  for (let i = 0; i < 200; i++) kept.add(`alice ${i}`, 'alice', eighth / 100, i);
  expect(kept.has('mallory 0')).toBe(false);
  expect(kept.has('alice 0')).toBe(true);
});

test('the largest grammars of all kinds together take no more than is kept', () => {
  expect(grammarMemory({ text: 'x'.repeat(bounds.grammarBytesMax) })).toBeLessThan(eighth);
  expect(bounds.grammarsKeptBytes / grammarMemory({ text: '' })).toBe(256);
});

test.each([
  ['a thousand choices of 55 characters', 'x'.repeat(58_000), 5],
  ['a hundred classes of all letters', String.raw`A: /\p{L}{1,40}/ `.repeat(100), 7],
])('%s count for more megabytes than a small grammar', (_, text, megabytes) => {
  expect(grammarMemory({ text })).toBeGreaterThan(megabytes * 2 ** 20);
});

test('what is removed must still be the same', () => {
  const kept = new KeptGrammars<number>();
  kept.add('a', 'acme', eighth, 1);
  kept.add('a', 'acme', eighth, 2);
  kept.remove('a', 1);
  expect(kept.get('a')).toBe(2);
  kept.remove('a', 2);
  expect(kept.get('a')).toBeUndefined();
});
