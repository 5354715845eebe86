import { describe, expect, test } from 'vitest';
import { WordTable } from '../../../../src/adapters/tokenizer/word-table.js';

function idsOf(table: WordTable, text: string, start = 0, end = text.length): number[] | null {
  const word = table.find(text, start, end);
  if (word < 0) return null;
  const target = new Uint32Array(100);
  return Array.from(target.subarray(2, table.copyIds(word, target, 2)));
}

describe('a table of words', () => {
  test('finds each word where it stands in a text, with its own ids', () => {
    const table = new WordTable(10_000);
    const idsFor = (n: number): number[] => Array.from({ length: 1 + (n % 7) }, (_, k) => n * 10 + k);
    for (let n = 0; n < 5000; n++) table.add(`w${n.toString(36)}`, idsFor(n));
    for (let n = 0; n < 5000; n++) {
      const text = `..w${n.toString(36)}!`;
      expect(idsOf(table, text, 2, text.length - 1)).toEqual(idsFor(n));
    }
    expect(idsOf(table, 'w')).toBeNull();
    expect(idsOf(table, 'unknown')).toBeNull();
    expect(idsOf(table, '')).toBeNull();
  });

  test('takes no more words than it was made for', () => {
    const table = new WordTable(2);
    for (const word of ['one', 'two', 'three']) table.add(word, [word.length]);
    expect(idsOf(table, 'one')).toEqual([3]);
    expect(idsOf(table, 'two')).toEqual([3]);
    expect(idsOf(table, 'three')).toBeNull();
  });

  test('words made to collide cost a bounded search', () => {
    const wordsMax = 4096;
    // The table's own hash, of which the lowest 13 bits name the bucket.
    const bucketOf = (word: string): number => {
      let hash = 0x811c9dc5;
      for (const character of word) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
      return hash & 8191;
    };
    const colliding: string[] = [];
    for (let n = 0; colliding.length < 40; n++) if (bucketOf(`x${n}`) === 0) colliding.push(`x${n}`);
    const table = new WordTable(wordsMax);
    for (const word of colliding) table.add(word, [1]);
    expect(colliding.filter((word) => idsOf(table, word) !== null)).toHaveLength(16);
  });
});
