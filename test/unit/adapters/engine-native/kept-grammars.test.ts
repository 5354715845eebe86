import { expect, test } from 'vitest';
import { KeptGrammars } from '../../../../src/adapters/engine-native/kept-grammars.js';
import { bounds } from '../../../../src/domain/bounds.js';

test('the latest are kept, up to their number', () => {
  const kept = new KeptGrammars<number>();
  for (let i = 0; i < bounds.grammarsKept; i++) kept.add(`${i}`, 'acme', i);
  expect(kept.get('0')).toBe(0);
  kept.add('new', 'acme', -1);
  expect([kept.has('0'), kept.has('1'), kept.has('new')]).toEqual([true, false, true]);
});

test('a tenant that brings many loses its own, not those of others', () => {
  const kept = new KeptGrammars<number>();
  for (let i = 0; i < 20; i++) kept.add(`alice ${i}`, 'alice', i);
  for (let i = 0; i < 5 * bounds.grammarsKept; i++) kept.add(`mallory ${i}`, 'mallory', i);
  for (let i = 0; i < 20; i++) expect(kept.get(`alice ${i}`)).toBe(i);
  expect(kept.has(`mallory ${5 * bounds.grammarsKept - 1}`)).toBe(true);
});

test('what is removed must still be the same', () => {
  const kept = new KeptGrammars<number>();
  kept.add('a', 'acme', 1);
  kept.add('a', 'acme', 2);
  kept.remove('a', 1);
  expect(kept.get('a')).toBe(2);
  kept.remove('a', 2);
  expect(kept.get('a')).toBeUndefined();
});
