import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type { NativeModelConfig } from '../../src/adapters/engine-native/native-types.js';
import { readModelFolder } from '../../src/adapters/model-folder/read-model-folder.js';
import { inspectModel } from '../../src/compose/inspect-model.js';
import { modelInspection } from '../../src/contract/model-inspection.js';
import { gpuCards } from '../../src/domain/gpu/cards.js';
import { freeBytesOf, planGpu } from '../../src/domain/gpu/plan-gpu.js';
import { weightBytes } from '../../src/domain/model-memory.js';
import { projectRoot } from '../support/project-imports.js';
import { tempFolder } from '../support/temp-folder.js';
import { openTiny, tinyCheckpoint, tinyConfig } from '../support/tiny-falcon.js';

const golden = (kind: string): string => path.join(projectRoot, 'test/golden/falcon-tiny', kind);
const demo = path.join(projectRoot, 'models/demo');

/** A copy of a checkpoint with other members in its config.json. */
async function withConfig(source: string, changes: object): Promise<string> {
  const folder = await tempFolder();
  await cp(source, folder, { recursive: true });
  const config = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as object;
  await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...config, ...changes }));
  return folder;
}

function libraryConfig(shape: NativeModelConfig): object {
  return {
    model_type: 'falcon',
    num_hidden_layers: shape.layers,
    hidden_size: shape.hiddenSize,
    num_attention_heads: shape.queryHeads,
    num_kv_heads: shape.kvHeads,
    ffn_hidden_size: shape.ffnSize,
    vocab_size: shape.vocabSize,
    new_decoder_architecture: true,
  };
}

describe('what is said about a checkpoint', () => {
  test.each([
    ['40b', '40B', true, 0],
    ['7b', '7B', true, null],
    ['11b', '11B', false, null],
    ['rw', 'rw', true, null],
  ] as const)('%s: its form, its head', async (kind, form, tied, differences) => {
    const inspection = modelInspection.parse(await inspectModel(golden(kind)));
    expect(inspection.architecture.form).toBe(form);
    expect(inspection.head.tied).toBe(tied);
    expect(inspection.head.stored).toBe(kind === '40b' || kind === '11b');
    if (differences !== null) expect(inspection.head.differences).toBe(differences);
    const spare =
      tied && inspection.head.stored ? inspection.architecture.vocab_size * inspection.architecture.hidden_size : 0;
    expect(inspection.parameters.stored).toBe(inspection.parameters.model + spare);
    expect(inspection.warnings.filter((warning) => warning.includes('lm_head'))).toEqual([]);
  });

  test('a head that differs although the config ties it is a warning that says in how many values', async () => {
    const inspection = await inspectModel(await withConfig(golden('11b'), { tie_word_embeddings: true }));
    expect(inspection.head).toMatchObject({ tied: true, stored: true });
    expect(inspection.head.differences).toBeGreaterThan(81_000);
    expect(inspection.warnings).toContainEqual(expect.stringContaining('lm_head.weight differs from it in 81,'));
  });

  test('ids of the configs that name ordinary marks are warned of and not used', async () => {
    const folder = await withConfig(demo, { eos_token_id: 2 });
    const inspection = await inspectModel(folder);
    expect(inspection.end_of_text).toEqual({ id: 11, config: [2], generation_config: [11], used: [11] });
    expect(inspection.warnings).toEqual([expect.stringMatching(/^config\.json names 2 as end of text/)]);
    await rm(path.join(folder, 'README.md'));
    expect((await inspectModel(folder)).model_card).toBeNull();
  });

  test.each([
    // Falcon's own vocabulary is known by its size: 1 and 2 are marks in it, 11 is the end.
    [65_024, { eos_token_id: 2 }, { id: 11, config: [2], generation_config: [], used: [11] }],
    [65_040, { eos_token_id: 65_030 }, { id: 11, config: [65_030], generation_config: [], used: [11, 65_030] }],
    // Of another one nothing is known but what its config says, or leaves at the default.
    [320, { eos_token_id: 2 }, { id: null, config: [2], generation_config: [], used: [2] }],
    [320, { eos_token_id: null }, { id: null, config: [], generation_config: [], used: [11] }],
  ])('without a tokenizer, a vocabulary of %i and %j', async (vocabSize, named, end) => {
    const config = { ...tinyConfig, vocabSize };
    const folder = await tinyCheckpoint(config);
    await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...libraryConfig(config), ...named }));
    const inspection = await inspectModel(folder);
    expect(inspection.end_of_text).toEqual(end);
    expect(inspection.warnings).toContainEqual(expect.stringContaining('no tokenizer.json'));
  });

  test('license and files of the demo model', async () => {
    const inspection = await inspectModel(demo);
    expect(inspection.model_card?.license).toBe('apache-2.0');
    expect(inspection.files).toEqual([
      { name: 'model.safetensors', bytes: 7_486_880, tensors: 43, dtypes: { BF16: 2 * inspection.parameters.stored } },
    ]);
    expect(inspection.warnings).toEqual([]);
  });
});

describe('the memory it names is what the engine takes', () => {
  test.each(['float32', 'bfloat16', 'int8'] as const)('%s', async (dtype) => {
    const { directory: modelDirectory, shape: config } = await readModelFolder(demo);
    const tokens = { tokenBytes: null, tokenByteEnds: null };
    const engine = await openTiny({ modelDirectory, config, dtype, slots: 2, slotTokens: 512, ...tokens });
    // All sizes of the demo model are whole tiles: nothing is padded.
    expect(engine.info.weightBytes).toBe(weightBytes(config, dtype));
    const { memory } = await inspectModel(demo);
    const values = dtype === 'float32' ? 2 : 1;
    expect(engine.info.kvCacheBytes / values).toBeGreaterThanOrEqual(2 * memory.kv_bytes_per_slot);
    expect(engine.info.kvCacheBytes / values).toBeLessThan(2.1 * memory.kv_bytes_per_slot);
  });
});

describe('what cards hold of it', () => {
  test('the plan of `eyrie plan`, for every number format', async () => {
    const { memory, cards } = modelInspection.parse(await inspectModel(demo));
    const { shape } = await readModelFolder(demo);
    const form = { tensorParallel: 1, fp8Keep: [], tokensPerSequence: shape.contextTokens };
    for (const weights of ['bfloat16', 'fp8'] as const)
      expect(memory.weight_bytes[weights]).toBe(planGpu(shape, 2 ** 40, { ...form, weights })?.weightBytes);
    for (const card of cards) {
      const free = freeBytesOf(gpuCards[card.gpu]);
      expect(card.int8_sequences).toBe(planGpu(shape, free, { ...form, weights: 'int8' })?.fullSequences);
      expect(card.fp8_sequences === null).toBe(gpuCards[card.gpu].fp8FlopsPerSecond === null);
    }
  });

  test('nothing of a form that the kernels for cards do not have', async () => {
    const { memory, cards } = modelInspection.parse(await inspectModel(golden('rw')));
    expect(memory.weight_bytes.fp8).toBeNull();
    expect(cards.map((card) => card.bfloat16_sequences)).toEqual(cards.map(() => null));
  });
});

describe('a checkpoint that is not sound', () => {
  test.each([
    ['generation_config.json', '{"eos_token_id": "x"}', 'eos_token_id is not valid'],
    ['generation_config.json', '[]', 'the file is not valid'],
    ['tokenizer_config.json', '{"model_max_length": "x"}', 'model_max_length is not valid'],
    ['tokenizer_config.json', '{"model_max', 'is not valid JSON'],
  ])('a damaged %s is a coded error that names it', async (name, text, words) => {
    const folder = await withConfig(demo, {});
    await writeFile(path.join(folder, name), text);
    const refusal = {
      code: 'model_invalid',
      message: expect.stringMatching(new RegExp(`${name}.*${words}`)) as string,
    };
    await expect(inspectModel(folder)).rejects.toMatchObject(refusal);
  });

  test('a link to weights that are not there is a coded error', async () => {
    const folder = await withConfig(demo, {});
    await rm(path.join(folder, 'model.safetensors'));
    await symlink('no-such-blob', path.join(folder, 'model.safetensors'));
    await expect(inspectModel(folder)).rejects.toMatchObject({
      code: 'model_unreadable',
      message: expect.stringContaining('model.safetensors cannot be read') as string,
    });
  });

  test('a context that is no whole number says nothing', async () => {
    const folder = await withConfig(demo, {});
    await writeFile(path.join(folder, 'tokenizer_config.json'), '{"model_max_length": 100.5}');
    expect((await inspectModel(folder)).architecture.context_tokens).toBe(2048);
  });

  test('a missing tensor, a wrong shape and a missing file are coded errors', async () => {
    const addon = loadAddon();
    const lacking = await tinyCheckpoint(tinyConfig, (tensors) => tensors.delete('transformer.ln_f.bias'));
    await expect(addon.inspectCheckpoint(lacking, tinyConfig)).rejects.toMatchObject({
      code: 'model_invalid',
      message: expect.stringContaining('lacks tensor "ln_f.bias"') as string,
    });
    const sound = await tinyCheckpoint();
    await expect(addon.inspectCheckpoint(sound, { ...tinyConfig, ffnSize: 96 })).rejects.toMatchObject({
      code: 'model_invalid',
    });
    await expect(addon.inspectCheckpoint(await tempFolder(), tinyConfig)).rejects.toMatchObject({
      code: 'model_unreadable',
    });
    await expect(addon.inspectCheckpoint(sound, { ...tinyConfig, kvHeads: 4 })).rejects.toMatchObject({
      code: 'model_invalid',
    });
  });

  test('arguments of the wrong type are refused', async () => {
    const addon = loadAddon();
    await expect(addon.inspectCheckpoint(1 as unknown as string, tinyConfig)).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await expect(addon.inspectCheckpoint('.', {} as typeof tinyConfig)).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});
