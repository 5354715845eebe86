import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { BpeTokenizer } from '../../../../src/adapters/tokenizer/bpe-tokenizer.js';
import { projectRoot } from '../../../support/project-imports.js';

type File = Record<string, unknown> & { model: Record<string, unknown>; pre_tokenizer: { pretokenizers: unknown[] } };

const text = await readFile(path.join(projectRoot, 'models/demo/tokenizer.json'), 'utf8');
const changed = (change: (file: File) => void): string => {
  const file = JSON.parse(text) as File;
  change(file);
  return JSON.stringify(file);
};
const open = (json: string) => BpeTokenizer.fromJson(json, 512);
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

describe('a tokenizer that goes to the library', () => {
  test('is one of the Falcon models', async () => {
    const ids = await open(text).encode('Hello 1234', 'text');
    expect(ids.length).toBeGreaterThan(0);
    open(changed((file) => (file.post_processor = byteLevel)));
    open(changed((file) => Object.assign(file, { pre_tokenizer: byteLevel })));
  });

  const hostile: readonly (readonly [string, string, (file: File) => void])[] = [
    [
      'a garbage normalizer',
      'normalizer',
      (file) => (file.normalizer = { type: 'Precompiled', precompiled_charsmap: 'AAAA' }),
    ],
    [
      'a normalizer that grows its text',
      'normalizer',
      (file) => (file.normalizer = { type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(10) }),
    ],
    [
      'a pattern that backtracks',
      'pre_tokenizer',
      (file) =>
        file.pre_tokenizer.pretokenizers.push({
          type: 'Split',
          pattern: { Regex: '(a+)+$' },
          behavior: 'Isolated',
          invert: false,
        }),
    ],
    ['another way to cut', 'pre_tokenizer', (file) => file.pre_tokenizer.pretokenizers.push({ type: 'Metaspace' })],
    [
      'thousands of stages',
      'pre_tokenizer',
      (file) => (file.pre_tokenizer.pretokenizers = Array.from({ length: 5000 }, () => byteLevel)),
    ],
    ['no way to cut', 'pre_tokenizer', (file) => Object.assign(file, { pre_tokenizer: null })],
    ['a post-processor', 'post_processor', (file) => (file.post_processor = { type: 'TemplateProcessing' })],
    ['dropout', 'model.dropout', (file) => (file.model['dropout'] = 0.5)],
    ['byte fallback', 'model.byte_fallback', (file) => (file.model['byte_fallback'] = true)],
    [
      'a vocabulary of 300,000 entries',
      'model.vocab',
      (file) =>
        (file.model['vocab'] = Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [n.toString(36), n]))),
    ],
    [
      'more merges than tokens',
      'model.merges',
      (file) => (file.model['merges'] = Array.from({ length: 100_000 }, () => 'a b')),
    ],
    [
      'more added tokens than ids',
      'added_tokens',
      (file) =>
        (file['added_tokens'] = Array.from({ length: 100_000 }, (_, id) => ({ id, content: 'x', special: true }))),
    ],
  ];
  test.each(hostile)('is not one with %s', (_name, member, change) => {
    const json = changed(change);
    const before = process.cpuUsage();
    expect(() => open(json)).toThrow(expect.objectContaining({ code: 'model_invalid' }));
    expect(() => open(json)).toThrow(`'${member}'`);
    const { user } = process.cpuUsage(before);
    expect(user / 1e6, 'seconds').toBeLessThan(20);
  });

  test('has a decoder of no kind', () => {
    open(changed((file) => (file['decoder'] = { type: 'Precompiled' })));
  });
});
