import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type { NativeDtype, NativeResult } from '../../src/adapters/engine-native/native-types.js';
import { readModelFolder } from '../../src/adapters/model-folder/read-model-folder.js';
import { convertModel, type ConvertSettings } from '../../src/compose/convert-model.js';
import { openModel } from '../../src/compose/open-model.js';
import { projectRoot } from '../support/project-imports.js';
import { tempFolder } from '../support/temp-folder.js';
import { openTiny, randomPrompt, seededRandom, tinyConfig, tinyRequest, tinyTensors } from '../support/tiny-falcon.js';
import { tensorOf, writeSafetensors, type TensorBytes } from '../support/write-safetensors.js';

const golden = (kind: string): string => path.join(projectRoot, 'test/golden/falcon-tiny', kind);
const demo = path.join(projectRoot, 'models/demo');

async function convert(directory: string, changes: Partial<ConvertSettings> = {}) {
  const out = path.join(await tempFolder(), 'converted');
  const settings = {
    directory,
    out,
    dtype: 'bfloat16',
    shardBytesMax: 2 ** 32,
    replace: false,
    threads: 2,
    ...changes,
  };
  const progress: [number, number][] = [];
  const report = await convertModel(
    settings as ConvertSettings,
    (done, total) => progress.push([done, total]),
    new AbortController().signal,
  );
  return { out: settings.out, report, progress };
}

async function generate(directory: string, dtype: NativeDtype): Promise<NativeResult[]> {
  const { shape: config } = await readModelFolder(directory);
  const engine = await openTiny({
    modelDirectory: directory,
    config,
    dtype,
    slotTokens: 256,
    tokenBytes: null,
    tokenByteEnds: null,
  });
  const random = seededRandom(7);
  const prompts = [3, 17, 40, 90].map((length) => randomPrompt(random, length, config.vocabSize));
  return Promise.all(
    prompts.map((promptIds, id) =>
      engine.generate(id, tinyRequest({ promptIds, maxTokens: 24, logprobs: 5, promptLogprobs: true })),
    ),
  );
}

/** A folder with config.json and one safetensors file of the tiny model, its tensors edited. */
async function tinyFolder(edit: (tensors: Map<string, TensorBytes>) => void): Promise<string> {
  const folder = await tempFolder();
  const tensors = tinyTensors();
  edit(tensors);
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
  const config = {
    model_type: 'RefinedWeb',
    n_layer: 2,
    n_head: 6,
    n_head_kv: 2,
    hidden_size: 48,
    ffn_hidden_size: 80,
    vocab_size: 97,
    eos_token_id: 11,
  };
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}

const noise = (count: number, seed: number): Float32Array => {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => random() - 0.5);
};

async function tensorsIn(file: string): Promise<Map<string, TensorBytes>> {
  const bytes = await readFile(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...table } = JSON.parse(bytes.subarray(8, start).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(table).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => [name, { dtype, shape, bytes: bytes.subarray(start + begin, start + end) }],
    ),
  );
}

const onlyShard = 'model-00001-of-00001.safetensors';

describe('a converted model', () => {
  test.each(['40b', '7b', '11b', 'rw'])('%s gives the same bits as its source in bfloat16', async (kind) => {
    const { out } = await convert(golden(kind));
    expect(await generate(out, 'bfloat16')).toEqual(await generate(golden(kind), 'bfloat16'));
    const [source, converted] = await Promise.all([readModelFolder(golden(kind)), readModelFolder(out)]);
    expect(converted.shape).toEqual(source.shape);
  });

  test.each(['40b', '7b', '11b', 'rw'])('%s in 8 bits gives the bits of quantising while loading', async (kind) => {
    const { out, report } = await convert(golden(kind), { dtype: 'int8' });
    expect(report.quantised).toBeGreaterThan(0);
    expect(await generate(out, 'int8')).toEqual(await generate(golden(kind), 'int8'));
  });

  test('in several files, each within its bound, with an index that names where the weights came from', async () => {
    const { out, report } = await convert(demo, { shardBytesMax: 2 ** 20, dtype: 'int8' });
    const names = (await readdir(out)).filter((name) => name.endsWith('.safetensors'));
    expect(names).toHaveLength(report.files);
    expect(report.files).toBeGreaterThan(3);
    for (const name of names) {
      const tensors = await tensorsIn(path.join(out, name));
      const bytes = [...tensors.values()].reduce((all, tensor) => all + tensor.bytes.length, 0);
      expect(bytes).toBeLessThanOrEqual(2 ** 20);
    }
    const index = JSON.parse(await readFile(path.join(out, 'model.safetensors.index.json'), 'utf8')) as {
      metadata: { total_size: number; eyrie: { source: { files: { name: string; sha256: string }[] } } };
    };
    expect(index.metadata.total_size).toBe(report.bytes);
    const sha256 = createHash('sha256').update(await readFile(path.join(demo, 'model.safetensors')));
    expect(index.metadata.eyrie.source.files).toContainEqual({
      name: 'model.safetensors',
      bytes: 7_486_880,
      sha256: sha256.digest('hex'),
    });
    expect(await generate(out, 'int8')).toEqual(await generate(demo, 'int8'));
  });

  test('keeps tokenizer, model card, name and end of text; a wrong id of the config is put right', async () => {
    const source = await tempFolder();
    await cp(demo, source, { recursive: true });
    const config = JSON.parse(await readFile(path.join(source, 'config.json'), 'utf8')) as object;
    await writeFile(path.join(source, 'config.json'), JSON.stringify({ ...config, eos_token_id: 2 }));
    const { out } = await convert(source);
    const [before, after] = await Promise.all([openModel(source, null), openModel(out, null)]);
    expect(after.served.id).toBe(before.served.id);
    expect(after.folder.endIds.config).toEqual([11]);
    expect([...after.stopTokenIds]).toEqual([11]);
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'README.md'])
      expect(await readFile(path.join(out, name), 'utf8')).toBe(await readFile(path.join(source, name), 'utf8'));
  });

  test('matrices are rounded to nearest even and counted, norms keep their values', async () => {
    const name = 'transformer.h.1.mlp.dense_h_to_4h.weight';
    const values = noise(80 * 48, 3);
    values.set([1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -0, 2 ** -130]);
    const norm = noise(48, 4);
    const source = await tinyFolder((tensors) => {
      tensors.set(name, tensorOf('F32', [80, 48], values));
      tensors.set('transformer.ln_f.weight', tensorOf('F32', [48], norm));
    });
    const { out, report } = await convert(source);
    const tensors = await tensorsIn(path.join(out, onlyShard));
    const bits = new Uint32Array(values.buffer);
    const rounded = Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
    expect(tensors.get(name)?.dtype).toBe('BF16');
    expect(Buffer.from(tensors.get(name)?.bytes ?? []).equals(Buffer.from(rounded.buffer))).toBe(true);
    expect(report.rounded).toBe(bits.filter((word) => (word & 0xffff) !== 0).length);
    expect(tensors.get('transformer.ln_f.weight')).toMatchObject({ dtype: 'F32', shape: [48] });
    expect(Buffer.from(tensors.get('transformer.ln_f.weight')?.bytes ?? [])).toEqual(Buffer.from(norm.buffer));
    expect(await generate(out, 'bfloat16')).toEqual(await generate(source, 'bfloat16'));
  });

  test('a row of zeros and a row with one large value survive 8 bits', async () => {
    const source = await tinyFolder((tensors) => {
      const values = noise(80 * 48, 5);
      values.fill(0, 0, 48);
      values[48] = 1000;
      tensors.set('transformer.h.0.mlp.dense_h_to_4h.weight', tensorOf('F32', [80, 48], values));
    });
    const { out } = await convert(source, { dtype: 'int8' });
    const tensors = await tensorsIn(path.join(out, onlyShard));
    const name = 'transformer.h.0.mlp.dense_h_to_4h.weight';
    expect([...(tensors.get(name)?.bytes.subarray(0, 49) ?? [])]).toEqual([...new Uint8Array(48), 127]);
    expect(await generate(out, 'int8')).toEqual(await generate(source, 'int8'));
  });

  test('what the model does not use is left out and named', async () => {
    const bias = 'transformer.h.0.mlp.dense_h_to_4h.bias';
    const source = await tinyFolder((tensors) => {
      tensors.set('lm_head.weight', tensorOf('F32', [97, 48], noise(97 * 48, 6)));
      tensors.set(bias, tensorOf('F32', [80], new Float32Array(80)));
    });
    const { out, report } = await convert(source);
    expect(new Set(report.leftOut)).toEqual(new Set(['lm_head.weight', 'h.0.mlp.dense_h_to_4h.bias']));
    const tensors = await tensorsIn(path.join(out, onlyShard));
    expect(tensors.has('lm_head.weight') || tensors.has(bias)).toBe(false);
    expect(tensors.size).toBe(tinyTensors().size);
  });

  test('8-bit weights are copied, and become nothing else', async () => {
    const { out } = await convert(golden('7b'), { dtype: 'int8' });
    const again = await convert(out, { dtype: 'int8' });
    expect(await tensorsIn(path.join(again.out, onlyShard))).toEqual(await tensorsIn(path.join(out, onlyShard)));
    await expect(convert(out)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(generate(out, 'bfloat16')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('choose int8') as string,
    });
  });

  test('fp8 keeps the head, and a CPU widens it: the bits of the rounded values in bfloat16', async () => {
    const name = 'transformer.h.0.mlp.dense_h_to_4h.weight';
    const values = noise(80 * 48, 9);
    values.fill(0, 48, 96);
    values.set([448, 1, 2 ** -6, 2 ** -9, 2 ** -10, 17, 19, -300], 0); // 448: the scale of row 0 is 1
    const { out, report } = await convert(
      await tinyFolder((tensors) => tensors.set(name, tensorOf('F32', [80, 48], values))),
      { dtype: 'fp8' },
    );
    const tensors = await tensorsIn(path.join(out, onlyShard));
    expect(tensors.has('lm_head.weight')).toBe(false);
    expect(tensors.get('transformer.word_embeddings.weight')?.dtype).toBe('BF16');
    expect(tensors.get(name)).toMatchObject({ dtype: 'F8_E4M3', shape: [80, 48] });
    const codes = [...(tensors.get(name)?.bytes ?? [])];
    // 17 lies between 16 and 18, 19 between 18 and 20, -300 between -288 and -320; 2^-10 is half of the smallest number.
    expect(codes.slice(0, 8)).toEqual([0x7e, 0x38, 0x08, 0x01, 0x00, 0x58, 0x5a, 0xf9]);
    expect(codes.slice(48, 96)).toEqual([...new Uint8Array(48)]);
    const scales = tensors.get(`${name}_scale`);
    expect(scales).toMatchObject({ dtype: 'F32', shape: [80] });
    expect([0, 4].map((at) => Buffer.from(scales?.bytes ?? []).readFloatLE(at))).toEqual([1, 1]);
    expect(report.quantised).toBe(2 * (80 * 48 + 48 * 48 + 2 * 80 * 48));
    const config = JSON.parse(await readFile(path.join(out, 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({ quantization_config: { quant_method: 'eyrie_fp8' } });
    const results = await generate(out, 'float32');
    expect(results.every(({ tokenIds }) => tokenIds.length > 0)).toBe(true);
    await expect(generate(out, 'int8')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('choose fp8 (on a card) or bfloat16') as string,
    });
    await expect(convert(out, { dtype: 'int8' })).rejects.toMatchObject({ code: 'invalid_request' });
    const again = await convert(out, { dtype: 'fp8' });
    expect(await tensorsIn(path.join(again.out, onlyShard))).toEqual(tensors);
  });

  test('progress ends with all bytes', async () => {
    const { progress } = await convert(demo);
    expect(progress.length).toBeGreaterThan(0);
    for (const [done, total] of progress) expect(done).toBeLessThanOrEqual(total);
  });
});

describe('a conversion that fails leaves nothing', () => {
  async function refused(source: string, changes: Partial<ConvertSettings>, wanted: object): Promise<void> {
    const parent = await tempFolder();
    await expect(convert(source, { out: path.join(parent, 'out'), ...changes })).rejects.toMatchObject(wanted);
    expect(await readdir(parent)).toEqual([]);
  }

  test.each(['bfloat16', 'int8', 'fp8'] as const)('NaN and infinite values, to %s', async (dtype) => {
    for (const name of [
      'transformer.h.1.mlp.dense_4h_to_h.weight',
      'transformer.h.0.ln_mlp.bias',
      'transformer.word_embeddings.weight',
    ])
      for (const bad of [NaN, -Infinity]) {
        const source = await tinyFolder((tensors) => {
          const { shape } = tensors.get(name) ?? { shape: [] };
          const values = noise(
            shape.reduce((all, size) => all * size, 1),
            8,
          );
          values[values.length - 3] = bad;
          tensors.set(name, tensorOf('F32', shape, values));
        });
        const text = new RegExp(`${name.replace('transformer.', '')}.* holds 1 NaN or infinite value`);
        await refused(source, { dtype }, { code: 'model_invalid', message: expect.stringMatching(text) as string });
      }
  });

  test('a missing tensor', async () => {
    const source = await tinyFolder((tensors) => tensors.delete('transformer.ln_f.bias'));
    await refused(source, {}, { code: 'model_invalid' });
  });

  test('an abort', async () => {
    const parent = await tempFolder();
    const stop = new AbortController();
    const reason = new Error('enough');
    const settings = { directory: demo, out: path.join(parent, 'out'), dtype: 'bfloat16', replace: false } as const;
    const running = convertModel(
      { ...settings, shardBytesMax: 2 ** 20, threads: 1 },
      () => stop.abort(reason),
      stop.signal,
    );
    await expect(running).rejects.toBe(reason);
    expect(await readdir(parent)).toEqual([]);
  });

  test('too small a bound, no threads, a wrong type', async () => {
    await refused(demo, { shardBytesMax: 1000 }, { code: 'invalid_request' });
    await refused(demo, { threads: 0 }, { code: 'invalid_request' });
    await refused(demo, { dtype: 'float32' as 'int8' }, { code: 'invalid_request' });
    const options = { modelDirectory: demo } as Parameters<ReturnType<typeof loadAddon>['convertCheckpoint']>[0];
    await expect(loadAddon().convertCheckpoint(options, () => true)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(
      loadAddon().convertCheckpoint({ ...options, config: tinyConfig }, null as unknown as () => boolean),
    ).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('what lies at the target', () => {
  test('a model is replaced only when asked for, and stays when the conversion fails', async () => {
    const { out } = await convert(golden('7b'));
    const before = await readFile(path.join(out, 'config.json'), 'utf8');
    await expect(convert(demo, { out })).rejects.toMatchObject({ code: 'invalid_value', param: 'out' });
    const broken = await tinyFolder((tensors) => tensors.delete('transformer.ln_f.bias'));
    await expect(convert(broken, { out, replace: true })).rejects.toMatchObject({ code: 'model_invalid' });
    expect(await readFile(path.join(out, 'config.json'), 'utf8')).toBe(before);
    await convert(demo, { out, replace: true });
    expect((await readModelFolder(out)).id).toBe('eyrie-demo');
    expect(await readdir(path.dirname(out))).toEqual(['converted']);
  });

  test('an empty folder is used; one with something else in it never is', async () => {
    const parent = await tempFolder();
    const out = path.join(parent, 'out');
    await mkdir(out);
    await convert(golden('7b'), { out });
    const mine = path.join(parent, 'mine');
    await mkdir(mine);
    await writeFile(path.join(mine, 'letter.txt'), 'Dear');
    await expect(convert(golden('7b'), { out: mine, replace: true })).rejects.toMatchObject({ code: 'invalid_value' });
    expect(await readdir(mine)).toEqual(['letter.txt']);
  });

  test('the source itself, a place inside it, and a place that does not exist are refused', async () => {
    const source = await tempFolder();
    await cp(golden('7b'), source, { recursive: true });
    for (const out of [
      source,
      path.join(source, 'in'),
      path.join(source, '..', path.basename(source)),
      '/nowhere/at/all',
    ])
      await expect(convert(source, { out, replace: true })).rejects.toMatchObject({
        code: 'invalid_value',
        param: 'out',
      });
  });
});
