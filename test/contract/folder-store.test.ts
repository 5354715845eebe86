import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { FolderStore } from '../../src/adapters/folder/folder-store.js';
import { ChildScript } from '../support/child-script.js';
import { makeTempFolder, tempFolder } from '../support/temp-folder.js';
import { describeObjectStore } from './object-store.js';

describeObjectStore('FolderStore', { raceRounds: 50, longStreamBytes: 2_000_000 }, async () => {
  const folder = await makeTempFolder();
  return {
    store: await FolderStore.open(folder),
    another: () => FolderStore.open(folder),
    close: () => rm(folder, { recursive: true }),
  };
});

it('FolderStore keeps every acknowledged object whole when its process is killed amid writes', async () => {
  const folder = await tempFolder();
  for (const killAfterMs of [30, 80, 150]) {
    await rm(path.join(folder, 'w'), { recursive: true, force: true });
    const writer = new ChildScript(new URL('./folder-writer.ts', import.meta.url), [folder]);
    const acknowledged: number[] = [Number(await writer.line())];
    const end = Date.now() + killAfterMs;
    while (Date.now() < end) acknowledged.push(Number(await writer.line()));
    await writer.kill();

    const store = await FolderStore.open(folder);
    const { objects } = await store.list('w/');
    const found = new Map(objects.map((info) => [info.key, info]));
    for (const n of acknowledged) expect(found.has(n % 3 === 0 ? `w/stream/${n}` : `w/create/${n}`)).toBe(true);
    for (const { key } of objects) {
      const bytes = (await store.get(key))?.bytes ?? new Uint8Array();
      expect(bytes.length).toBeGreaterThan(0);
      const n = key === 'w/same' ? null : Number(path.basename(key));
      if (n !== null) expect(bytes.length).toBe(1 + ((n * 7919) % 200_000));
      expect(bytes.every((byte) => byte === (n === null ? bytes[0] : n % 251))).toBe(true);
    }
  }
  // What a kill leaves behind is in the private folder only.
  expect((await readdir(folder)).toSorted()).toEqual(['.spare', '.tmp', 'w']);
});
