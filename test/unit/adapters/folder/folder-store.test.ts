import { execFileSync } from 'node:child_process';
import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  rmdir,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FolderStore } from '../../../../src/adapters/folder/folder-store.js';
import { FolderTree } from '../../../../src/adapters/folder/folder-tree.js';
import { fromFsError } from '../../../../src/adapters/folder/fs-error.js';
import { tempFolder } from '../../../support/temp-folder.js';

const bytes = new TextEncoder().encode('content');

async function open(): Promise<{ folder: string; store: FolderStore }> {
  const folder = await tempFolder();
  return { folder, store: await FolderStore.open(folder) };
}

describe('files that users drop', () => {
  it('are objects: listed, read, and with another ETag once they change', async () => {
    const { folder, store } = await open();
    const inbox = path.join(folder, 'inbox/dev');
    await mkdir(inbox, { recursive: true });
    await writeFile(path.join(inbox, 'a.jsonl'), 'half');
    const [first] = (await store.list('inbox/dev/')).objects;
    expect(first).toMatchObject({ key: 'inbox/dev/a.jsonl', bytes: 4 });
    await appendFile(path.join(inbox, 'a.jsonl'), ' more');
    const [second] = (await store.list('inbox/dev/')).objects;
    expect(second).toMatchObject({ bytes: 9 });
    expect(second?.etag).not.toBe(first?.etag);
    await expect(store.get('inbox/dev/a.jsonl', { ifMatch: first?.etag ?? '' })).rejects.toMatchObject({
      code: 'input_changed',
    });
  });

  it('throw input_changed when they change while they are read', async () => {
    const { folder, store } = await open();
    await mkdir(path.join(folder, 'inbox/dev'), { recursive: true });
    const file = path.join(folder, 'inbox/dev/a.jsonl');
    await writeFile(file, Buffer.alloc(1_000_000, 'a'));
    const info = await store.head('inbox/dev/a.jsonl');
    const reading = async (): Promise<void> => {
      const got = await store.getStream('inbox/dev/a.jsonl', { ifMatch: info?.etag ?? '' });
      let first = true;
      for await (const _chunk of got?.body ?? []) {
        if (first) await appendFile(file, 'b');
        first = false;
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: 'input_changed' });
  });

  it('keep their ETag in a copy of the folder that keeps times', async () => {
    const { folder, store } = await open();
    const { etag } = await store.put('inbox/dev/a.jsonl', bytes);
    const copy = await tempFolder();
    execFileSync('cp', ['-a', `${folder}/.`, copy]);
    expect((await (await FolderStore.open(copy)).head('inbox/dev/a.jsonl'))?.etag).toBe(etag);
  });

  it('are no objects when they are links, pipes or folders', async () => {
    const { folder, store } = await open();
    const inbox = path.join(folder, 'inbox/dev');
    await mkdir(path.join(inbox, 'sub'), { recursive: true });
    await symlink('/etc/passwd', path.join(inbox, 'link'));
    execFileSync('mkfifo', [path.join(inbox, 'pipe')]);
    expect((await store.list('inbox/')).objects).toEqual([]);
    for (const name of ['link', 'pipe', 'sub']) {
      expect(await store.get(`inbox/dev/${name}`)).toBeNull();
      expect(await store.head(`inbox/dev/${name}`)).toBeNull();
    }
    expect(await store.get('inbox/dev/link/below')).toBeNull();
  });

  it('keep the inbox folder when the last one is deleted, while empty folders further down go', async () => {
    const { folder, store } = await open();
    await store.put('inbox/dev/a.jsonl', bytes);
    await store.put('t/dev/b/batch_1/parts/000000.jsonl', bytes);
    await store.delete('inbox/dev/a.jsonl');
    await store.delete('t/dev/b/batch_1/parts/000000.jsonl');
    expect(await readdir(path.join(folder, 'inbox'))).toEqual(['dev']);
    expect(await readdir(path.join(folder, 't/dev'))).toEqual([]);
  });
});

describe('writes', () => {
  it('give 2000 ETags to 2000 writes of one key with equal sizes', async () => {
    const { store } = await open();
    const etags = new Set<string>();
    for (let i = 0; i < 2000; i++) etags.add((await store.put('k', bytes)).etag);
    expect(etags.size).toBe(2000);
  });

  it('make folders that another client removes at the same time', async () => {
    const { folder, store } = await open();
    const other = await FolderStore.open(folder);
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await store.put(`t/a/b/c/${i}`, bytes);
        await other.delete(`t/a/b/c/${i}`);
      }),
    );
    expect((await store.list('t/')).objects).toEqual([]);
  });

  it('make a folder while it is removed over and over', async () => {
    const folder = await tempFolder();
    const tree = new FolderTree(folder);
    const made = path.join(folder, 'agenda/acme/1795928');
    const end = new AbortController();
    const remove = async (): Promise<void> => {
      while (!end.signal.aborted) await rmdir(made).catch(() => undefined);
    };
    const removing = remove();
    try {
      for (let round = 0; round < 500; round++) await tree.make(made);
    } finally {
      end.abort();
      await removing;
    }
    await tree.make(made);
    expect(await readdir(path.dirname(made))).toEqual(['1795928']);
  });

  it('hold the temporary folder empty, also after failures', async () => {
    const { folder, store } = await open();
    await store.create('a/b', bytes);
    await store.create('a/b', new Uint8Array(3));
    await expect(store.put('a', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.put('a/b/c', bytes)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await readdir(path.join(folder, '.tmp'))).toEqual([]);
  });

  it('leave younger temporary files of others alone and remove those older than an hour at the start', async () => {
    const { folder, store } = await open();
    for (const name of ['young', 'old']) await writeFile(path.join(folder, '.tmp', name), 'x');
    const twoHoursAgo = Date.now() / 1000 - 7200;
    await utimes(path.join(folder, '.tmp/old'), twoHoursAgo, twoHoursAgo);
    await FolderStore.open(folder);
    expect(await readdir(path.join(folder, '.tmp'))).toEqual(['young']);
    expect((await store.list('')).objects).toEqual([]);
    await expect(store.get('.tmp/young')).rejects.toMatchObject({ code: 'invalid_value' });
  });

  it('keep the content read before a replacement', async () => {
    const { store } = await open();
    await store.put('k', Buffer.alloc(600_000, 'a'));
    const got = await store.getStream('k');
    let text = '';
    for await (const chunk of got?.body ?? []) {
      if (text === '') await store.put('k', Buffer.alloc(600_000, 'b'));
      text += Buffer.from(chunk).toString();
    }
    expect(text).toBe('a'.repeat(600_000));
  });
});

describe('listing', () => {
  it('remembers a folder of 20,000 files between pages, and still sees each change', async () => {
    const { folder, store } = await open();
    const parts = path.join(folder, 't/a/b/batch_1/parts');
    await mkdir(parts, { recursive: true });
    for (let i = 0; i < 20_000; i += 500)
      await Promise.all(
        Array.from({ length: 500 }, (_, j) => writeFile(path.join(parts, String(i + j).padStart(6, '0')), '')),
      );
    let after: string | null = '';
    let count = 0;
    while (after !== null) {
      const page: Awaited<ReturnType<FolderStore['list']>> = await store.list('t/a/b/batch_1/parts/', { after });
      count += page.objects.length;
      after = page.next;
    }
    expect(count).toBe(20_000);
    for (const change of [
      () => unlink(path.join(parts, '000003')),
      () => copyFile(path.join(parts, '000004'), path.join(parts, '000003x')),
    ]) {
      await change();
      const { objects } = await store.list('t/a/b/batch_1/parts/', { limit: 5 });
      expect(objects.map(({ key }) => path.basename(key))).not.toContain('000003');
    }
    expect((await store.list('t/a/b/batch_1/parts/000003')).objects).toHaveLength(1);
  });
});

describe('failures', () => {
  const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: it failed`), { code });

  it.each([
    ['ENOSPC', 'disk_full'],
    ['EDQUOT', 'disk_full'],
    ['EIO', 'store_unavailable'],
    ['EACCES', 'store_unavailable'],
    ['EROFS', 'store_unavailable'],
    ['EMFILE', 'store_unavailable'],
  ])('%s becomes %s and names the key', (errno, code) => {
    const mapped = fromFsError(failure(errno), 'write', 'a/b');
    expect(mapped).toMatchObject({ code, message: expect.stringContaining("'a/b'") as string });
  });

  it('of other kinds pass unchanged', () => {
    const bug = new TypeError('x');
    expect(fromFsError(bug, 'write', 'a')).toBe(bug);
    const timeout = failure('ERR_SOMETHING');
    expect(fromFsError(timeout, 'write', 'a')).toBe(timeout);
  });

  it('of the start say what is wrong with the folder', async () => {
    const folder = await tempFolder();
    await writeFile(path.join(folder, 'file'), '');
    await expect(FolderStore.open(path.join(folder, 'file'))).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

/** A small file system of our own, or the reason why there is none. */
function tinyDisk(folder: string): string | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'eyrie-test', folder], { stdio: 'pipe' });
    return null;
  } catch {
    return 'mounting needs root';
  }
}

it('a full disk gives disk_full, shows nothing of the write, and heals', async (context) => {
  const folder = await tempFolder();
  const reason = tinyDisk(folder);
  if (reason !== null) context.skip(reason);
  onTestFinished(() => void execFileSync('umount', [folder]));
  const store = await FolderStore.open(folder);
  await store.put('kept', bytes);
  await expect(store.put('big', new Uint8Array(400_000))).rejects.toMatchObject({ code: 'disk_full' });
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 40; i++) yield new Uint8Array(10_000);
  };
  await expect(store.putStream('big', source())).rejects.toMatchObject({ code: 'disk_full' });
  expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['kept']);
  expect(await readdir(path.join(folder, '.tmp'))).toEqual([]);
  await store.put('small', bytes);
  expect((await stat(path.join(folder, 'small'))).size).toBe(bytes.length);
});

it('keeps what it writes for its own user, whatever the umask, and closes what an earlier version left open', async () => {
  const folder = path.join(await tempFolder(), 'store');
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  await mkdir(path.join(folder, 't/acme'), { recursive: true, mode: 0o777 });
  const store = await FolderStore.open(folder);
  await store.put('t/acme/files/a', bytes);
  await store.create('keys/b', bytes);
  await store.putStream(
    'inbox/acme/c',
    (async function* () {
      yield bytes;
    })(),
  );
  const mode = async (name: string) => ((await stat(path.join(folder, name))).mode & 0o777).toString(8);
  for (const name of ['t', 't/acme/files', 'keys', '.tmp', '.spare', 'inbox'])
    expect(await mode(name), name).toBe('700');
  for (const name of ['t/acme/files/a', 'keys/b', 'inbox/acme/c']) expect(await mode(name), name).toBe('600');
  expect(await mode('.'), 'an operator’s own').toBe('777');
});
