import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type { NativeModelConfig } from '../../src/adapters/engine-native/native-types.js';
import { tempFolder } from '../support/temp-folder.js';
import { openTiny, tinyConfig, tinyOptions, tinyRequest } from '../support/tiny-falcon.js';

const archives = fileURLToPath(new URL('../golden/torch-archive/', import.meta.url));

const config: NativeModelConfig = {
  ...tinyConfig,
  layers: 1,
  hiddenSize: 16,
  queryHeads: 2,
  kvHeads: 1,
  headDim: 8,
  ffnSize: 24,
  vocabSize: 40,
};

const answer = async (form: string) => {
  const engine = await openTiny({ modelDirectory: archives + form, config });
  return engine.generate(1, tinyRequest({ promptIds: Uint32Array.of(20, 30, 35), logprobs: 20, promptLogprobs: true }));
};

describe('a checkpoint of torch.save', () => {
  it.each(['float32', 'float16', 'bfloat16', 'parameters', 'views', 'sharded'])(
    'as %s is the same model as its safetensors form',
    async (form) => {
      const result = await answer(form);
      expect(result.tokenIds).toHaveLength(16);
      expect(result).toEqual(await answer('safetensors'));
    },
  );

  it.each([
    ['transposed.bin', 'not row-major'],
    ['old-format.bin', 'before version 1.6'],
    ['runs-code.bin', 'print'],
  ])('is refused with its reason: %s', async (file, reason) => {
    const folder = await tempFolder();
    await copyFile(`${archives}refused/${file}`, path.join(folder, 'pytorch_model.bin'));
    await expect(loadAddon().openEngine(tinyOptions(folder, { config }), () => undefined)).rejects.toMatchObject({
      code: 'model_invalid',
      message: expect.stringContaining(reason) as string,
    });
  });
});
