import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { chmod, link, mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FolderStore } from '../../../src/adapters/folder/folder-store.js';
import { BatchRecords } from '../../../src/app/batch-records.js';
import { InboxWatcher } from '../../../src/app/watch-inbox.js';
import { bounds } from '../../../src/domain/bounds.js';
import { completionLine } from '../../support/fake-service.js';
import { fakeWorld } from '../../support/fake-world.js';
import { tempFolder } from '../../support/temp-folder.js';

const content = `${completionLine('1', 'one')}\n`;
const secret = 'not for anybody else';
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

/** The inboxes of mallory and alice in a folder, and one process that watches them. */
async function inboxes() {
  const folder = await tempFolder();
  const fake = fakeWorld();
  const store = await FolderStore.open(folder);
  const tenants = { ...fake.tenants, inboxTenants: () => ['mallory', 'alice'] };
  const world = { ...fake, store, tenants, records: new BatchRecords(store, fake.clock) };
  const [mallory, alice] = [path.join(folder, 'inbox/mallory'), path.join(folder, 'inbox/alice')];
  for (const inbox of [mallory, alice]) await mkdir(inbox, { recursive: true });
  await writeFile(path.join(folder, 'secret.txt'), secret);
  const watcher = new InboxWatcher(world);
  const poll = async (times: number) => {
    for (let n = 0; n < times; n++) await watcher.poll();
  };
  const keysUnder = async (prefix: string) => (await store.list(prefix)).objects.map(({ key }) => key);
  return {
    folder,
    mallory,
    alice,
    store,
    world,
    poll,
    batchesOf: async (tenant: string) =>
      (await keysUnder(`t/${tenant}/b/`)).filter((key) => key.endsWith('/submit.json')).length,
    rejectionsOf: async (tenant: string) => {
      const found = [];
      for (const key of await keysUnder(`outbox/${tenant}/`))
        found.push(
          JSON.parse(await readFile(path.join(folder, key), 'utf8')) as {
            source: { key: string };
            error: { code: string; message: string };
          },
        );
      return found;
    },
  };
}
type Inboxes = Awaited<ReturnType<typeof inboxes>>;

/** What the entry becomes. */
type Outcome = 'batch' | 'rejected' | 'nothing';
type Entry = readonly [name: string, outcome: Outcome, make: (all: Inboxes) => Promise<unknown>];

const file = (name: string, outcome: Outcome): Entry => [
  `a file called ${JSON.stringify(name)}`,
  outcome,
  ({ mallory }) => writeFile(path.join(mallory, name), content),
];

const names: readonly Entry[] = [
  ...[
    'a.jsonl',
    'a b.jsonl',
    '-rf.jsonl',
    '--help.jsonl',
    'ä.jsonl',
    '文.jsonl',
    '🙂.jsonl',
    'a\nb.jsonl',
    'a\tb.jsonl',
  ].map((name) => file(name, 'batch')),
  ...['"quoted".jsonl', "it's.jsonl", '$(id).jsonl', '`id`.jsonl', ';ls.jsonl', '%2e%2e%2f.jsonl', '..jsonl.jsonl'].map(
    (name) => file(name, name.startsWith('.') ? 'nothing' : 'batch'),
  ),
  ...['\x1b[31mred.jsonl', '\x07bell.jsonl', '<b>.jsonl', 'a\\b.jsonl', 'con.jsonl', '\u202egnp.jsonl'].map((name) =>
    file(name, 'batch'),
  ),
  file(`${'x'.repeat(249)}.jsonl`, 'batch'),
  file('a.JSONL', 'rejected'),
  file('a.csv', 'rejected'),
  file('.hidden.jsonl', 'nothing'),
  file('a.jsonl.part', 'nothing'),
];

const deepFolders = 'import os\nfor n in range(30): os.mkdir("d" * 200); os.chdir("d" * 200)';

const kinds: readonly Entry[] = [
  [
    'a link to a file',
    'nothing',
    ({ folder, mallory }) => symlink(path.join(folder, 'secret.txt'), path.join(mallory, 'l.jsonl')),
  ],
  ['a link to a folder', 'nothing', ({ alice, mallory }) => symlink(alice, path.join(mallory, 'l'))],
  ['a link to itself', 'nothing', ({ mallory }) => symlink('l.jsonl', path.join(mallory, 'l.jsonl'))],
  ['a link to nothing', 'nothing', ({ mallory }) => symlink('nowhere', path.join(mallory, 'l.jsonl'))],
  ['a FIFO', 'nothing', ({ mallory }) => Promise.resolve(execFileSync('mkfifo', [path.join(mallory, 'f.jsonl')]))],
  [
    'a socket',
    'nothing',
    ({ mallory }) =>
      new Promise<void>((resolve) => {
        const server = createServer().listen(path.join(mallory, 's.jsonl'), resolve);
        onTestFinished(() => void server.close());
      }),
  ],
  [
    'a name that is no UTF-8',
    'rejected',
    ({ mallory }) =>
      writeFile(Buffer.concat([Buffer.from(`${mallory}/`), Buffer.from([0xff, 0xfe]), Buffer.from('.jsonl')]), content),
  ],
  [
    'a sparse file of 250 MB',
    'rejected',
    async ({ mallory }) => {
      await writeFile(path.join(mallory, 'big.jsonl'), '');
      await truncate(path.join(mallory, 'big.jsonl'), 250_000_000);
    },
  ],
  [
    'a hard link to a drop',
    'batch',
    async ({ mallory }) => {
      await writeFile(path.join(mallory, '.first'), content);
      await link(path.join(mallory, '.first'), path.join(mallory, 'h.jsonl'));
    },
  ],
  ['an empty file', 'batch', ({ mallory }) => writeFile(path.join(mallory, 'e.jsonl'), '')],
  [
    'a path longer than a key may be',
    'rejected',
    async ({ mallory }) => {
      const deep = path.join(mallory, ...Array.from({ length: 6 }, () => 'd'.repeat(200)));
      await mkdir(deep, { recursive: true });
      await writeFile(path.join(deep, 'a.jsonl'), content);
    },
  ],
  [
    'a path longer than a path may be',
    'rejected',
    ({ folder, mallory }) => {
      execFileSync('python3', ['-c', deepFolders], { cwd: mallory });
      onTestFinished(() => void execFileSync('rm', ['-rf', folder]));
      return Promise.resolve();
    },
  ],
  [
    'more folders than a page of a listing enters',
    'batch',
    async ({ mallory }) => {
      for (let n = 0; n < bounds.listFoldersMax + 10; n++) await mkdir(path.join(mallory, `d-${n}`));
      await writeFile(path.join(mallory, 'z.jsonl'), content);
    },
  ],
];

describe('an entry of an inbox becomes a batch, is answered or is left alone, and keeps nobody else from theirs:', () => {
  test.each([...names, ...kinds])('%s', async (_name, outcome, make) => {
    const all = await inboxes();
    await make(all);
    await writeFile(path.join(all.alice, 'good.jsonl'), content);
    await all.poll(2);
    expect(await all.batchesOf('alice'), 'of the other tenant').toBe(1);
    await all.poll(bounds.inboxTriesMax);
    expect(await all.batchesOf('mallory')).toBe(outcome === 'batch' ? 1 : 0);
    const rejections = await all.rejectionsOf('mallory');
    expect(rejections).toHaveLength(outcome === 'rejected' ? 1 : 0);
    await all.poll(3);
    expect(await all.rejectionsOf('mallory'), 'told once').toEqual(rejections);
    const skipped = all.world.log.of('inbox.skipped');
    expect(skipped.length).toBeLessThanOrEqual(1);
    for (const { fields } of skipped) expect(fields).toMatchObject({ tenant: 'mallory', code: 'input_unreadable' });
  });

  test.runIf(isRoot)('a device', async () => {
    const all = await inboxes();
    try {
      execFileSync('mknod', [path.join(all.mallory, 'zero.jsonl'), 'c', '1', '5'], { stdio: 'ignore' });
    } catch {
      return; // a container may not make devices
    }
    await writeFile(path.join(all.alice, 'good.jsonl'), content);
    await all.poll(4);
    expect([await all.batchesOf('alice'), await all.batchesOf('mallory')]).toEqual([1, 0]);
  });
});

describe.runIf(isRoot)('what the service may not read', () => {
  /** As a service that is not root: the folder is its own, and what mallory dropped is not. */
  async function asNobody<T>(
    { folder, mallory }: Inboxes,
    mine: readonly string[],
    step: () => Promise<T>,
  ): Promise<T> {
    execFileSync('chown', ['-R', String(nobody), folder]);
    for (const name of mine) execFileSync('chown', ['0', path.join(mallory, name)]);
    for (let at = path.dirname(folder); at !== '/'; at = path.dirname(at))
      await chmod(at, 0o755).catch(() => undefined);
    process.seteuid?.(nobody);
    try {
      return await step();
    } finally {
      process.seteuid?.(0);
    }
  }

  test('of a tenant keeps no other from its batches, is told by tenant, and is rejected in the end', async () => {
    const all = await inboxes();
    await mkdir(path.join(all.mallory, 'private'), { mode: 0o700 });
    await writeFile(path.join(all.mallory, 'own.jsonl'), content, { mode: 0o600 });
    await writeFile(path.join(all.mallory, 'fine.jsonl'), content);
    await writeFile(path.join(all.alice, 'good.jsonl'), content);
    await asNobody(all, ['private', 'own.jsonl'], async () => {
      await all.poll(2);
      expect([await all.batchesOf('alice'), await all.batchesOf('mallory')]).toEqual([1, 1]);
      await all.poll(bounds.inboxTriesMax);
      await all.poll(3);
    });
    expect(await all.batchesOf('mallory')).toBe(1);
    const rejections = await all.rejectionsOf('mallory');
    expect(rejections.map(({ source }) => source.key).toSorted()).toEqual([
      'inbox/mallory/own.jsonl',
      'inbox/mallory/private/',
    ]);
    for (const { error } of rejections)
      expect(error).toMatchObject({
        code: 'input_unreadable',
        message: expect.stringContaining('read rights') as string,
      });
    const told = (event: string) => all.world.log.of(event).map(({ fields }) => fields);
    expect(told('inbox.skipped')).toEqual([{ tenant: 'mallory', code: 'input_unreadable', reason: 'no_rights' }]);
    expect(told('inbox.failed')).toEqual([
      { tenant: 'mallory', code: 'input_unreadable', reason: expect.stringContaining('(EACCES)') as string },
    ]);
    expect(JSON.stringify(all.world.log.entries)).not.toContain('own.jsonl');
  });

  test('is taken once it may be read', async () => {
    const all = await inboxes();
    await writeFile(path.join(all.mallory, 'own.jsonl'), content, { mode: 0o600 });
    await asNobody(all, ['own.jsonl'], () => all.poll(3));
    expect(await all.batchesOf('mallory')).toBe(0);
    await all.poll(1);
    expect(await all.batchesOf('mallory')).toBe(1);
    expect(await all.rejectionsOf('mallory')).toEqual([]);
  });
});
