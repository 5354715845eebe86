import type * as fs from 'node:fs/promises';
import { opendir, rm, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { FolderStore } from '../../../../src/adapters/folder/folder-store.js';
import { NameTurns, sortInTurns } from '../../../../src/adapters/folder/sorted-names.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { tempFolder } from '../../../support/temp-folder.js';

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof fs>();
  return { ...real, opendir: vi.fn(real.opendir) };
});
const reads = vi.mocked(opendir);
afterEach(() => {
  vi.restoreAllMocks();
  reads.mockClear();
});

const prefix = 't/a/idx/f/';
const nameOf = (n: number): string => String(n).padStart(13, '0');

/** A store with a folder of so many files, read once. */
async function largeFolder(files: number) {
  const root = await tempFolder();
  const folder = path.join(root, prefix);
  await mkdir(folder, { recursive: true });
  const add = (name: string) => writeFile(path.join(folder, name), '');
  for (let n = 0; n < files; n += 500)
    await Promise.all(Array.from({ length: Math.min(500, files - n) }, (_, at) => add(nameOf(n + at))));
  const store = await FolderStore.open(root);
  const list = async (options: { after?: string; limit?: number } = {}) => {
    const { objects, next } = await store.list(prefix, options);
    return { names: objects.map(({ key }) => path.basename(key)), next };
  };
  return { add, list, remove: (name: string) => rm(path.join(folder, name)) };
}

/** The longest time on the event loop, by CPU, while `work` ran. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let [longest, isOver] = [0, false];
  let before = process.cpuUsage();
  const look = (): void => {
    longest = Math.max(longest, process.cpuUsage(before).user / 1000);
    before = process.cpuUsage();
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await work();
  isOver = true;
  look();
  return longest;
}

test('300,000 names are sorted without holding the event loop', async () => {
  const names = Array.from({ length: 300_000 }, (_, n) => `${nameOf((n * 7_919_993) % 300_007)}-file_${n}`);
  let least = Infinity;
  for (let run = 0; run < 5 && least >= 50; run++) {
    let sorted: readonly string[] = [];
    least = Math.min(least, await longestTurn(async () => (sorted = await sortInTurns(names, new NameTurns()))));
    expect(sorted).toHaveLength(names.length);
    expect(sorted.every((name, at) => at === 0 || (sorted[at - 1] ?? '') < name)).toBe(true);
  }
  expect(least, 'CPU ms of the longest turn').toBeLessThan(50);
});

test('pages of a folder that changes all the time are made of one read', async () => {
  const { add, list } = await largeFolder(3000);
  const seen: string[] = [];
  for (let after: string | null = ''; after !== null;) {
    const page: Awaited<ReturnType<typeof list>> = await list({ after, limit: 300 });
    seen.push(...page.names);
    after = page.next;
    await add(`${nameOf(2999)}-${seen.length}`);
  }
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, n) => nameOf(n)));
  expect(reads).toHaveBeenCalledTimes(1);
  expect((await list({ after: `${prefix}${nameOf(2999)}` })).names, 'another listing sees all').toHaveLength(10);
  expect(reads).toHaveBeenCalledTimes(2);
});

test('a listing that goes on after a minute sees what has come', async () => {
  const { add, list } = await largeFolder(1500);
  const { next } = await list({ limit: 1000 });
  await add(`${nameOf(1499)}-late`);
  const now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now + bounds.listedAgeMs);
  expect((await list({ after: next ?? '' })).names.at(-1)).toBe(`${nameOf(1499)}-late`);
});

test('those who list a changed folder at the same time share its reads', async () => {
  const { list } = await largeFolder(1500);
  const pages = await Promise.all(Array.from({ length: 20 }, () => list({ limit: 1 })));
  expect(pages.every(({ names }) => names[0] === nameOf(0))).toBe(true);
  expect(reads.mock.calls.length).toBeLessThanOrEqual(2);
});

test('whatever has been added and removed, the next listing shows what is there', async () => {
  const { add, remove, list } = await largeFolder(1200);
  const there = new Set(Array.from({ length: 1200 }, (_, n) => nameOf(n)));
  for (let round = 0; round < 40; round++) {
    for (let n = 0; n < round % 4; n++) {
      const name = nameOf((round * 131 + n * 977) % 1500);
      if (there.delete(name)) await remove(name);
      else {
        there.add(name);
        await add(name);
      }
    }
    const first = await list();
    const rest = first.next === null ? [] : (await list({ after: first.next })).names;
    expect([...first.names, ...rest]).toEqual([...there].sort());
  }
});
