import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { derivedId, isId, toBase32 } from '../../../src/domain/ids.js';
import { keys, shardOfPartKey, turnFolderOf } from '../../../src/domain/object-keys.js';

describe('ids', () => {
  test('derived ids are stable, valid, and differ when any part differs', () => {
    const id = derivedId('batch', 'secret', 'a', 'bc');
    expect(id).toBe(derivedId('batch', 'secret', 'a', 'bc'));
    expect(isId('batch', id)).toBe(true);
    const others = [
      derivedId('batch', 'secret', 'ab', 'c'),
      derivedId('batch', 'other', 'a', 'bc'),
      derivedId('file', 'secret', 'a', 'bc'),
    ];
    expect(others.map((other) => other.replace(/^[^_-]*[_-]/, ''))).not.toContain(id.slice('batch_'.length));
  });

  test('no text with a separator is an id', () => {
    for (const text of ['batch_../x', 'batch_', 'file-a', 'batch_A', 'batch_a/b', '', `batch_${'a'.repeat(65)}`])
      expect(isId('batch', text)).toBe(false);
  });

  test('base32 keeps order and length', () => {
    expect(toBase32(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff))).toBe('zzzzzzzz');
    expect(toBase32(createHash('sha256').digest())).toHaveLength(52);
    expect(toBase32(new Uint8Array())).toBe('');
  });
});

describe('keys', () => {
  test.each([
    [keys.plan('acme', 'batch_1'), 't/acme'],
    [keys.fileIndex('acme'), 't/acme'],
    [keys.openBatch('acme', 'batch_1'), 'open/acme'],
    [keys.openBatches, 'open'],
    ['due/1.acme.2', 'due'],
    [keys.apiKey('key_1'), 'keys'],
    [keys.apiKeyUsed('key_2'), 'keys'],
    [keys.apiKeys, 'keys'],
    ['lone', ''],
    ['', ''],
  ])('%s takes its turns with %s', (key, folder) => {
    expect(turnFolderOf(key)).toBe(folder);
  });

  test('later batches sort first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9e12 }), fc.integer({ min: 0, max: 9e12 }), (a, b) => {
        const [left, right] = [keys.batchIndexEntry('t', a, 'x'), keys.batchIndexEntry('t', b, 'x')];
        expect(left < right).toBe(a > b);
      }),
    );
  });

  test('a part key gives its shard back', () => {
    expect(shardOfPartKey(keys.part('t', 'batch_x', 123))).toBe(123);
    expect(shardOfPartKey(keys.plan('t', 'batch_x'))).toBeNull();
  });
});
