import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { reportError, reportJsonError } from '../../../src/cli/output.js';
import { printInspection } from '../../../src/cli/commands/model-inspect.js';
import { convertModel } from '../../../src/compose/convert-model.js';
import { inspectModel } from '../../../src/compose/inspect-model.js';
import { openModel } from '../../../src/compose/open-model.js';
import { errorCode } from '../../../src/domain/errors.js';
import { bounds } from '../../../src/domain/bounds.js';
import { projectRoot } from '../../support/project-imports.js';
import { tempFolder } from '../../support/temp-folder.js';

// The small files of a checkpoint that somebody else made, by the ways that open one: `model inspect`, and what `run-batch` and the
// programs of the service load. Each is refused with its code or read as harmless text, in a short time, and steers no terminal.

const demo = path.join(projectRoot, 'models/demo');
const secret = 'what-lies-outside';
/** Titles, a cleared screen, the clipboard, a control of eight bits, and a text that runs backwards. */
const escapes = '\x1b]0;title\x07\x1b[2J\x1b]52;c;AAAA\x1b\\\x9b31m\u202e';

interface Folder {
  readonly model: string;
  readonly outside: string;
}

/** A copy of the demo model beside a folder that it must not reach. */
async function copyOfDemo(): Promise<Folder> {
  const root = await tempFolder();
  const [model, outside] = [path.join(root, 'model'), path.join(root, 'outside')];
  await cp(demo, model, { recursive: true });
  await mkdir(outside);
  await writeFile(path.join(outside, 'file'), secret);
  return { model, outside };
}

/** All that a command writes. */
function captured(step: () => void): string {
  let text = '';
  const take = (chunk: unknown): boolean => {
    text += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(take));
  try {
    step();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return text;
}

/** All controls but line feed and tab, and what turns the direction of a text or is not seen. */
const steersTerminal = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Opens it in both ways; gives the code with which each refuses it, null where it does not. */
async function open({ model }: Folder): Promise<{ codes: (string | null)[]; text: string }> {
  const cpuBefore = process.cpuUsage();
  const codes: (string | null)[] = [];
  let text = '';
  const refused = (error: unknown): void => {
    codes.push(errorCode(error));
    text += captured(() => {
      reportError(error);
      reportJsonError(error);
    });
  };
  await inspectModel(model).then((inspection) => {
    codes.push(null);
    text += captured(() => {
      printInspection(inspection, false);
      printInspection(inspection, true);
    });
  }, refused);
  await openModel(model, null).then(() => codes.push(null), refused);
  const { user, system } = process.cpuUsage(cpuBefore);
  expect((user + system) / 1e6, 'CPU seconds').toBeLessThan(10);
  expect(text).not.toMatch(steersTerminal);
  expect(text).not.toContain(secret);
  expect(text.length).toBeLessThan(8 * bounds.modelCardBytesMax);
  return { codes, text };
}

const invalid = 'model_invalid';
const unreadable = 'model_unreadable';

/** What may stand in the place of a file. */
const kinds: Readonly<Record<string, readonly [code: string, make: (file: string, folder: Folder) => unknown]>> = {
  'a pipe': [invalid, (file) => execFileSync('mkfifo', [file])],
  'a folder': [invalid, (file) => mkdir(file)],
  'a device': [invalid, (file) => symlink('/dev/zero', file)],
  'a link out of the folder': [invalid, (file, { outside }) => symlink(path.join(outside, 'file'), file)],
  'a link that climbs out': [invalid, (file) => symlink('../outside/file', file)],
  'a link to itself': [unreadable, (file) => symlink(path.basename(file), file)],
  'a socket': [
    // It cannot be opened at all.
    unreadable,
    (file) =>
      new Promise<void>((resolve) => {
        const server = createServer().listen(file, resolve);
        onTestFinished(() => void server.close());
      }),
  ],
  'a file without an end': [
    invalid,
    async (file) => {
      await writeFile(file, '');
      await truncate(file, 2 ** 40);
    },
  ],
};

describe('in the place of a file of a checkpoint', () => {
  const names = [
    'config.json',
    'generation_config.json',
    'tokenizer_config.json',
    'tokenizer.json',
    'README.md',
    'model.safetensors',
  ];
  const cases = names.flatMap((name) => Object.keys(kinds).map((kind) => [name, kind] as const));
  test.each(cases)('%s: %s', async (name, kind) => {
    const folder = await copyOfDemo();
    const file = path.join(folder.model, name);
    await rm(file);
    const [code, make] = kinds[kind] ?? [invalid, () => undefined];
    await make(file, folder);
    const { codes } = await open(folder);
    const isWeights = name === 'model.safetensors';
    const expected = isWeights && kind === 'a socket' ? invalid : code;
    // The card is for people, and how large weights are the engine looks at: `openModel` reads neither.
    const skipped = name === 'README.md' || (isWeights && kind === 'a file without an end');
    expect(codes).toEqual([expected, skipped ? null : expected]);
  });
});

const json = JSON.stringify;
const config = JSON.parse(await readFile(path.join(demo, 'config.json'), 'utf8')) as object;
const withConfig = (changes: object) => ['config.json', json({ ...config, ...changes })] as const;

type Text = string | Uint8Array;
/** What a file says, and with what both refuse it; null: it is read as it is. */
type Content = readonly [what: string, file: readonly [name: string, content: Text], codes: readonly (string | null)[]];
const all = (code: string | null): readonly (string | null)[] => [code, code];

const configs: readonly Content[] = [
  ['no bytes', ['config.json', ''], all(invalid)],
  ['no JSON', ['config.json', 'hello'], all(invalid)],
  ['UTF-16', ['config.json', Buffer.from(json(config), 'utf16le')], all(invalid)],
  ['no object', ['config.json', '[]'], all(invalid)],
  ['null', ['config.json', 'null'], all(unreadable)],
  ['two million levels', ['config.json', '['.repeat(2_000_000)], all(invalid)],
  ['no members', ['config.json', '{}'], all(invalid)],
  ['another model', withConfig({ model_type: 'llama' }), all(invalid)],
  ['a model type that steers a terminal', withConfig({ model_type: escapes }), all(invalid)],
  ['an activation that steers a terminal', withConfig({ activation: escapes }), all(invalid)],
  ['positions that steer a terminal', withConfig({ rope_scaling: { type: escapes } }), all(invalid)],
  ['a name that steers a terminal', withConfig({ _name_or_path: `a/b${escapes}` }), all(null)],
  ['a name that is a path', withConfig({ _name_or_path: '../../etc/passwd' }), all(null)],
  ['no layers', withConfig({ num_hidden_layers: 0 }), all(invalid)],
  ['half a layer', withConfig({ num_hidden_layers: 0.5 }), all(invalid)],
  ['layers beyond all numbers', withConfig({ num_hidden_layers: 1e308 }), all(invalid)],
  ['a layer too many', withConfig({ num_hidden_layers: bounds.modelLayersMax + 1 }), all(invalid)],
  ['as many layers as may be', withConfig({ num_hidden_layers: bounds.modelLayersMax }), [invalid, null]],
  ['as many layers as there are integers', withConfig({ num_hidden_layers: 2 ** 53 - 1 }), all(invalid)],
  ['a hidden size that overflows', withConfig({ hidden_size: 2 ** 52 }), all(invalid)],
  ['a vocabulary of gigabytes', withConfig({ vocab_size: 2 ** 32 - 1 }), all(invalid)],
  ['a vocabulary that overflows', withConfig({ vocab_size: 2 ** 52 }), all(invalid)],
  ['a vocabulary as large as may be', withConfig({ vocab_size: bounds.modelSizeMax }), [invalid, null]],
  ['a vocabulary of one', withConfig({ vocab_size: 1 }), all(invalid)],
  ['a negative vocabulary', withConfig({ vocab_size: -1 }), all(invalid)],
  ['heads that do not divide', withConfig({ num_attention_heads: 7 }), all(invalid)],
  ['half a million ends', withConfig({ eos_token_id: Array.from({ length: 500_000 }, () => 1) }), all(invalid)],
  ['an end that is no number', withConfig({ eos_token_id: escapes }), all(invalid)],
  ['an end that is no token', withConfig({ eos_token_id: 2 ** 40 }), all(null)],
  [
    'half a million ends',
    ['generation_config.json', json({ eos_token_id: Array.from({ length: 500_000 }, () => 1) })],
    all(invalid),
  ],
  ['no JSON', ['generation_config.json', `{${escapes}`], all(invalid)],
  ['no number', ['tokenizer_config.json', json({ model_max_length: escapes })], all(invalid)],
  ['no JSON', ['tokenizer_config.json', `"${escapes}`], all(invalid)],
];

const cards: readonly Content[] = [
  ['50,000 headings', ['README.md', '# limitation\n'.repeat(50_000)], all(null)],
  ['a heading of blanks', ['README.md', `#${' '.repeat(200_000)}limitation\nx`], all(null)],
  ['front matter without an end', ['README.md', `---\nlicense: ${'a'.repeat(900_000)}`], all(null)],
  [
    'text that steers a terminal',
    ['README.md', `---\nlicense: ${escapes}\n---\n# Limitations ${escapes}\n${escapes}\n`],
    all(null),
  ],
  ['no UTF-8', ['README.md', Buffer.concat([Buffer.from('# Limitations\n'), Buffer.alloc(1000, 0x9b)])], all(null)],
];

type Tokenizer = Record<string, unknown> & {
  model: Record<string, unknown>;
  pre_tokenizer: { pretokenizers: unknown[] };
  added_tokens: object[];
};
const tokenizerText = await readFile(path.join(demo, 'tokenizer.json'), 'utf8');
const tokenizer = (change: (file: Tokenizer) => unknown): readonly [string, string] => {
  const file = JSON.parse(tokenizerText) as Tokenizer;
  change(file);
  return ['tokenizer.json', json(file)];
};
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const cut = (stage: object) => tokenizer(({ pre_tokenizer: { pretokenizers } }) => pretokenizers.push(stage));
const many = <T>(count: number, of: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => of(n));

const tokenizers: readonly Content[] = [
  ['no bytes', ['tokenizer.json', ''], all(invalid)],
  ['no JSON', ['tokenizer.json', tokenizerText.slice(0, 5000)], all(invalid)],
  ['no object', ['tokenizer.json', '[]'], all(invalid)],
  ['a million levels', ['tokenizer.json', '{"model":'.repeat(1_000_000)], all(invalid)],
  ['BERT', ['tokenizer.json', json({ model: { type: 'WordPiece', vocab: {} }, added_tokens: [] })], all(invalid)],
  ['T5', tokenizer((file) => (file.model = { type: 'Unigram', vocab: [['a', 0]], unk_id: 0 })), all(invalid)],
  ['words', tokenizer((file) => (file.model = { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' })), all(invalid)],
  [
    'Llama',
    tokenizer((file) => Object.assign(file.model, { byte_fallback: true, fuse_unk: true, unk_token: '<unk>' })),
    all(invalid),
  ],
  ['CLIP', tokenizer((file) => (file.model['end_of_word_suffix'] = '</w>')), all(invalid)],
  ['Qwen', tokenizer((file) => Object.assign(file, { normalizer: { type: 'NFC' } })), all(invalid)],
  ['small letters', tokenizer((file) => Object.assign(file, { normalizer: { type: 'Lowercase' } })), all(invalid)],
  [
    'a normalizer of rubbish',
    tokenizer((file) => Object.assign(file, { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } })),
    all(invalid),
  ],
  [
    'a text that grows',
    tokenizer((file) =>
      Object.assign(file, {
        normalizer: {
          type: 'Sequence',
          normalizers: many(12, () => ({ type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(10) })),
        },
      }),
    ),
    all(invalid),
  ],
  [
    'a pattern that backtracks',
    cut({ type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false }),
    all(invalid),
  ],
  ['another cut', cut({ type: 'Metaspace', replacement: '_' }), all(invalid)],
  ['a cut that nobody knows', cut({ type: escapes }), all(invalid)],
  ['5000 cuts', tokenizer(({ pre_tokenizer: pre }) => (pre.pretokenizers = many(5000, () => byteLevel))), all(invalid)],
  ['no cut', tokenizer((file) => Object.assign(file, { pre_tokenizer: null })), all(invalid)],
  [
    'a template',
    tokenizer((file) => (file['post_processor'] = { type: 'TemplateProcessing', single: [], pair: [] })),
    all(invalid),
  ],
  ['chance', tokenizer((file) => (file.model['dropout'] = 0.5)), all(invalid)],
  [
    '300,000 tokens',
    tokenizer((file) => (file.model['vocab'] = Object.fromEntries(many(300_000, (n) => [n.toString(36), n])))),
    all(invalid),
  ],
  ['more merges than tokens', tokenizer((file) => (file.model['merges'] = many(100_000, () => 'a b'))), all(invalid)],
  [
    'more added tokens than ids',
    tokenizer((file) => (file.added_tokens = many(100_000, (id) => ({ id, content: 'x', special: true })))),
    all(invalid),
  ],
  [
    'an id behind the vocabulary',
    tokenizer((file) => Object.assign(file.model['vocab'] as object, { zzz: 2 ** 40 })),
    all(invalid),
  ],
  ['a negative id', tokenizer((file) => Object.assign(file.model['vocab'] as object, { zzz: -1 })), all(invalid)],
  ['merges of what is no token', tokenizer((file) => (file.model['merges'] = [`${escapes} zz`])), all(invalid)],
  [
    'an added token without a text',
    tokenizer((file) => file.added_tokens.push({ id: 1, special: true })),
    all(invalid),
  ],
  [
    'an added token that steers a terminal',
    tokenizer((file) => file.added_tokens.push({ id: 1, content: escapes, special: 'yes' })),
    all(invalid),
  ],
  ['a decoder of rubbish', tokenizer((file) => (file['decoder'] = { type: 'Precompiled' })), all(null)],
  ['padding to a billion', tokenizer((file) => (file['padding'] = { strategy: { Fixed: 1e9 } })), all(null)],
];

describe('what a file says', () => {
  test.each(
    [...configs, ...cards, ...tokenizers].map(([what, file, codes]) => [file[0], what, file[1], codes] as const),
  )('%s: %s', async (name, _what, content, codes) => {
    const folder = await copyOfDemo();
    await writeFile(path.join(folder.model, name), content);
    const opened = await open(folder);
    expect(opened.codes, opened.text.slice(0, 500)).toEqual(codes);
  });
});

describe('a conversion', () => {
  const convert = ({ model, outside }: Folder) =>
    convertModel(
      {
        directory: model,
        out: path.join(outside, 'new'),
        dtype: 'int8',
        shardBytesMax: 1e9,
        replace: false,
        threads: 1,
      },
      () => undefined,
      new AbortController().signal,
    );
  test.each(['LICENSE', 'NOTICE.txt', 'README.md', 'chat_template.jinja', 'merges.txt'])(
    'copies nothing from outside: %s',
    async (name) => {
      const folder = await copyOfDemo();
      await rm(path.join(folder.model, name), { force: true });
      await symlink(path.join(folder.outside, 'file'), path.join(folder.model, name));
      await expect(convert(folder)).rejects.toMatchObject({ code: invalid });
      expect((await readdir(folder.outside)).toSorted()).toEqual(['file']);
    },
  );
  test('waits for no pipe and copies no file without an end', async () => {
    const folder = await copyOfDemo();
    execFileSync('mkfifo', [path.join(folder.model, 'NOTICE')]);
    await convert(folder);
    expect(await readdir(path.join(folder.outside, 'new'))).not.toContain('NOTICE');
    const other = await copyOfDemo();
    await writeFile(path.join(other.model, 'LICENSE'), '');
    await truncate(path.join(other.model, 'LICENSE'), bounds.companionBytesMax + 1);
    await expect(convert(other)).rejects.toMatchObject({ code: invalid });
  });
});
