import { expect, test } from 'vitest';
import { readGenerateSettings } from '../../../src/config/read-environment.js';

const required = {
  EYRIE_STORE: 'folder:/tmp/store',
  EYRIE_REDIS_URL: 'redis://127.0.0.1',
  EYRIE_MODEL_DIR: 'models/demo',
  EYRIE_TENANTS_FILE: 'tenants.json',
  EYRIE_ID_SECRET: 'x'.repeat(32),
};
const read = (changes: NodeJS.ProcessEnv) => readGenerateSettings({ ...required, ...changes });

test.each([
  ['dense', ['dense']],
  ['down', ['down']],
  ['down, dense', ['dense', 'down']],
])('EYRIE_FP8_KEEP=%s', (text, kept) => {
  expect(read({ EYRIE_FP8_KEEP: text }).EYRIE_FP8_KEEP).toEqual(kept);
});

test('nothing is kept by default', () => {
  expect(read({}).EYRIE_FP8_KEEP).toBeUndefined();
  expect(read({ EYRIE_FP8_KEEP: '' }).EYRIE_FP8_KEEP).toBeUndefined();
});

test.each(['qkv', 'dense,up', ',', 'dense down'])('EYRIE_FP8_KEEP=%s is refused with what is allowed', (text) => {
  expect(() => read({ EYRIE_FP8_KEEP: text })).toThrow(
    'Setting EYRIE_FP8_KEEP is not valid: "dense", "down" or "dense,down" is allowed.',
  );
});

test('the files of the addon and of the CUDA library may be named', () => {
  expect(() => read({ EYRIE_NATIVE_ADDON: 'a.node', EYRIE_CUDA_LIBRARY: 'libeyrie_cuda.so' })).not.toThrow();
});
