import { describe, expect, test } from 'vitest';
import { parseFalconConfig, toFalconShape } from '../../../src/contract/falcon-config.js';
import { kvBytesPerToken, parameterCount, weightBytes } from '../../../src/domain/model-memory.js';

const shapeOf = (config: object) => toFalconShape(parseFalconConfig(config), 2048);

const falcon40 = shapeOf({
  model_type: 'RefinedWeb',
  n_layer: 60,
  n_head: 128,
  n_head_kv: 8,
  hidden_size: 8192,
  vocab_size: 65_024,
});
const falcon7 = shapeOf({
  model_type: 'RefinedWebModel',
  n_layer: 32,
  n_head: 71,
  hidden_size: 4544,
  vocab_size: 65_024,
});

describe('the size of a model', () => {
  test('parameters of the 40B: untied, they are the total size of its published index', () => {
    expect(parameterCount({ ...falcon40, tiedHead: false }) * 2).toBe(83_671_941_120);
    expect(parameterCount(falcon40)).toBe(41_303_293_952);
  });

  test('keys and values: 120 KiB a token in the 40B, 8 KiB in the 7B', () => {
    expect(kvBytesPerToken(falcon40)).toBe(120 * 1024);
    expect(kvBytesPerToken(falcon7)).toBe(8 * 1024);
  });

  test('weights: two bytes a parameter in bfloat16 but for the float32 norms; in 8 bits about half', () => {
    const vectors = 60 * 4 * 8192 + 2 * 8192;
    expect(weightBytes(falcon40, 'bfloat16')).toBe(2 * 41_303_293_952 + 2 * vectors);
    expect(weightBytes(falcon40, 'float32')).toBe(4 * 41_303_293_952);
    expect(weightBytes(falcon40, 'int8') / 2 ** 30).toBeCloseTo(39.5, 1);
  });
});
