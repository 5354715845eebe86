import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import { openTiny, tinyCheckpoint, tinyConfig, tinyOptions, tinyRequest, tinyTensors } from '../support/tiny-falcon.js';
import { tempFolder } from '../support/temp-folder.js';
import {
  safetensorsBytes,
  safetensorsFile,
  tensorOf,
  writeSafetensors,
  type TensorBytes,
} from '../support/write-safetensors.js';

const open = (folder: string) => loadAddon().openEngine(tinyOptions(folder), () => undefined);

async function expectRefused(folder: string, code: string, ...texts: string[]): Promise<void> {
  const reason: unknown = await open(folder).then(
    (engine) => engine.close().then(() => new Error('opened')),
    (error: unknown) => error,
  );
  expect(reason).toMatchObject({ code });
  for (const text of texts) expect((reason as Error).message).toContain(text);
}

const folderWith = async (files: Record<string, Uint8Array | string>): Promise<string> => {
  const folder = await tempFolder();
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
  return folder;
};

const NAME = 'transformer.h.0.mlp.dense_h_to_4h.weight';
const ones = (shape: readonly number[]): TensorBytes =>
  tensorOf('F32', shape, new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(1));

describe('a checkpoint that does not fit its config', () => {
  const cases: [string, (tensors: Map<string, TensorBytes>) => void, string[]][] = [
    ['lacks a tensor', (tensors) => tensors.delete(NAME), ['lacks', 'h.0.mlp.dense_h_to_4h.weight', '[80, 48]']],
    [
      'has a tensor too many',
      (tensors) => tensors.set('transformer.h.2.ln_mlp.weight', ones([48])),
      ['h.2.ln_mlp.weight'],
    ],
    ['has a tensor of another shape', (tensors) => tensors.set(NAME, ones([48, 80])), ['[48, 80]', '[80, 48]']],
    ['has a tensor of a flat shape', (tensors) => tensors.set(NAME, ones([80 * 48])), ['[3840]', '[80, 48]']],
    [
      'has another vocabulary',
      (tensors) => tensors.set('transformer.word_embeddings.weight', ones([96, 48])),
      ['[96, 48]'],
    ],
    [
      'has a linear bias that is not zero',
      (tensors) => tensors.set(NAME.replace('weight', 'bias'), ones([80])),
      ['not zero'],
    ],
    [
      'has weights that are NaN',
      (tensors) => tensors.set(NAME, tensorOf('F32', [80, 48], new Float32Array(80 * 48).fill(Number.NaN))),
      ['NaN', 'h.0.mlp.dense_h_to_4h.weight'],
    ],
    [
      'has a norm that is infinite',
      (tensors) => tensors.set('transformer.ln_f.bias', tensorOf('F32', [48], new Float32Array(48).fill(Infinity))),
      ['ln_f.bias'],
    ],
    [
      'has integers for weights',
      (tensors) => tensors.set(NAME, { dtype: 'I32', shape: [80, 48], bytes: new Uint8Array(80 * 48 * 4) }),
      ['I32', 'BF16, F16 or F32'],
    ],
    ['has a tensor under both names', (tensors) => tensors.set('ln_f.bias', ones([48])), ['ln_f.bias', 'twice']],
  ];
  it.each(cases)('%s', async (_, edit, texts) => {
    await expectRefused(await tinyCheckpoint(tinyConfig, edit), 'model_invalid', ...texts);
  });

  it('but buffers that anyone recomputes, zero biases and an ignored head are taken', async () => {
    const modelDirectory = await tinyCheckpoint(tinyConfig, (tensors) => {
      tensors.set('transformer.h.0.self_attention.rotary_emb.inv_freq', ones([4]));
      tensors.set('transformer.h.1.self_attention.causal_mask', {
        dtype: 'BOOL',
        shape: [2, 2],
        bytes: new Uint8Array(4),
      });
      tensors.set(NAME.replace('weight', 'bias'), tensorOf('F32', [80], new Float32Array(80)));
      tensors.set('lm_head.weight', ones([97, 48]));
    });
    const [plain, extended] = await Promise.all([openTiny(), openTiny({ modelDirectory })]);
    const result = await extended.generate(1, tinyRequest());
    expect(result).toEqual(await plain.generate(1, tinyRequest()));
  });
});

describe('a safetensors file that is damaged', () => {
  const whole = safetensorsBytes(tinyTensors());
  const headerBytes = Number(whole.readBigUInt64LE(0));
  const header = whole.subarray(8, 8 + headerBytes).toString();
  const data = whole.subarray(8 + headerBytes);
  const cases: [string, Uint8Array, string][] = [
    ['empty', Buffer.alloc(0), 'too few'],
    ['three bytes', Buffer.from('abc'), 'too few'],
    [
      'a length beyond the file',
      Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]), data]),
      'header length',
    ],
    ['cut in the header', whole.subarray(0, 500), 'header length'],
    ['cut in the data', whole.subarray(0, -1), 'incomplete'],
    ['longer than its header says', Buffer.concat([whole, Buffer.from([0])]), 'the file holds'],
    ['no JSON', safetensorsFile('hello', data), "'{'"],
    ['JSON cut short', safetensorsFile(header.slice(0, -1), data), 'ends too early'],
    ['something after the JSON', safetensorsFile(`${header}x`, data), 'after the end'],
    [
      'a duplicate name',
      safetensorsFile(header.replace('"transformer.ln_f.bias"', '"transformer.ln_f.weight"'), data),
      'duplicate',
    ],
    ['an unknown dtype', safetensorsFile(header.replace('BF16', 'Q4_0'), data), 'Q4_0'],
    ['a negative size', safetensorsFile(header.replace('[97,48]', '[-97,48]'), data), 'whole number'],
    [
      'a size that overflows',
      safetensorsFile(header.replace('[97,48]', '[4294967296,4294967296]'), data),
      'does not fill',
    ],
    ['a fraction', safetensorsFile(header.replace('[97,48]', '[97.5,48]'), data), 'whole number'],
    [
      'overlapping tensors',
      safetensorsFile(header.replace(/"data_offsets":\[0,9312\]/, '"data_offsets":[1,9313]'), data),
      'gap',
    ],
    ['a range backwards', safetensorsFile(header.replace('[0,9312]', '[9312,0]'), data), 'ends before'],
    ['deep nesting', safetensorsFile(`{"a":${'['.repeat(5000)}`, data), 'expected'],
    ['a huge number', safetensorsFile(header.replace('[97,48]', `[${'9'.repeat(400)},48]`), data), '64 bits'],
  ];
  it.each(cases)('%s', async (_, bytes, text) => {
    await expectRefused(await folderWith({ 'model.safetensors': bytes }), 'model_invalid', 'model.safetensors', text);
  });

  it('a folder in place of the file', async () => {
    const folder = await tempFolder();
    await mkdir(path.join(folder, 'model.safetensors'));
    await expectRefused(folder, 'model_unreadable', 'model.safetensors', 'regular');
  });

  it('no file at all', async () => {
    await expectRefused(await tempFolder(), 'model_unreadable', 'model.safetensors');
  });
});

describe('a sharded checkpoint', () => {
  const tensors = [...tinyTensors()];
  const half = tensors.length >> 1;
  const shards = { 'one.safetensors': tensors.slice(0, half), 'two.safetensors': tensors.slice(half) };
  const weightMap = Object.fromEntries(
    Object.entries(shards).flatMap(([file, list]) => list.map(([name]) => [name, file])),
  );

  async function shardFolder(
    map: Record<string, string>,
    text = JSON.stringify({ metadata: { total_size: 1.5e3 }, weight_map: map }),
  ) {
    const folder = await folderWith({ 'model.safetensors.index.json': text });
    for (const [file, list] of Object.entries(shards)) await writeSafetensors(path.join(folder, file), new Map(list));
    return folder;
  }

  it('loads to the same model as one file, without the prefix too', async () => {
    const bare = await tinyCheckpoint(tinyConfig, (all) => {
      for (const [name, tensor] of Array.from(all)) {
        all.delete(name);
        all.set(name.replace('transformer.', ''), tensor);
      }
    });
    const engines = [
      await openTiny(),
      await openTiny({ modelDirectory: await shardFolder(weightMap) }),
      await openTiny({ modelDirectory: bare }),
    ];
    const [one, sharded, unprefixed] = await Promise.all(
      engines.map((engine) => engine.generate(1, tinyRequest({ logprobs: 5 }))),
    );
    expect(sharded).toEqual(one);
    expect(unprefixed).toEqual(one);
  });

  it.each(['../one.safetensors', '/etc/passwd', 'a\\b', '', '..', 'sub/one.safetensors', '\u0000'])(
    'may not name %j as a file',
    async (file) => {
      await expectRefused(
        await shardFolder({ ...weightMap, [NAME]: file }),
        'model_invalid',
        'model.safetensors.index.json',
        'plain file names',
      );
    },
  );

  it.each([
    [
      'a shard that is not there',
      { ...weightMap, [NAME]: 'three.safetensors' },
      'model_unreadable',
      'three.safetensors',
    ],
    [
      'a tensor in the other shard',
      { ...weightMap, [NAME]: weightMap[NAME] === 'one.safetensors' ? 'two.safetensors' : 'one.safetensors' },
      'model_invalid',
      NAME,
    ],
    [
      'a tensor no shard has',
      { ...weightMap, 'transformer.extra': 'one.safetensors' },
      'model_invalid',
      'transformer.extra',
    ],
    [
      'not all of its tensors',
      Object.fromEntries(Object.entries(weightMap).filter(([name]) => name !== NAME)),
      'model_invalid',
      'does not list',
    ],
  ])('may not list %s', async (_, map, code, text) => {
    await expectRefused(await shardFolder(map), code, text);
  });

  it.each([
    ['{}', 'no weight_map'],
    ['[]', "'{'"],
    ['', 'too early'],
    ['{"weight_map":{"a":"x","a":"x"}}', 'twice'],
    ['{"weight_map":{},"weight_map":{}}', 'twice'],
    ['{"weight_map":{"a":5}}', 'expected'],
    [`{"metadata":${'{"a":'.repeat(50)}`, 'nested'],
  ])('may not have the index %s', async (text, reason) => {
    await expectRefused(await shardFolder({}, text), 'model_invalid', 'index.json', reason);
  });
});
