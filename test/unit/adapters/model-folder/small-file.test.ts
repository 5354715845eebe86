import { execFileSync } from 'node:child_process';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readModelFolder } from '../../../../src/adapters/model-folder/read-model-folder.js';
import { readSmallFile } from '../../../../src/adapters/model-folder/small-file.js';
import { companionFiles } from '../../../../src/adapters/model-folder/source-files.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { tempFolder } from '../../../support/temp-folder.js';

const invalid = { code: 'model_invalid' };

/** A checkpoint's folder with something outside of it. */
async function checkpoint(): Promise<{ outside: string; model: string }> {
  const root = await tempFolder();
  const [outside, model] = [path.join(root, 'outside'), path.join(root, 'model')];
  await mkdir(outside);
  await mkdir(model);
  await writeFile(path.join(outside, 'secret'), 'secret');
  return { outside, model };
}

describe('a small file of a checkpoint', () => {
  test('is read, also through a link within the folder; without one there is none', async () => {
    const { model } = await checkpoint();
    await writeFile(path.join(model, 'a'), 'text');
    await symlink('a', path.join(model, 'b'));
    expect([await readSmallFile(model, 'a', 9), await readSmallFile(model, 'b', 9)]).toEqual(['text', 'text']);
    expect(await readSmallFile(model, 'c', 9)).toBeNull();
  });

  test('may be a link of a Hugging Face cache to a blob of its own repository, and of no other', async () => {
    const cache = await tempFolder();
    const snapshot = path.join(cache, 'models--tiiuae--falcon/snapshots/abc');
    for (const folder of [snapshot, path.join(snapshot, '../../blobs'), path.join(cache, 'models--other/blobs')])
      await mkdir(folder, { recursive: true });
    await writeFile(path.join(snapshot, '../../blobs/1'), 'text');
    await writeFile(path.join(cache, 'models--other/blobs/2'), 'other');
    await symlink('../../blobs/1', path.join(snapshot, 'config.json'));
    await symlink('../../../models--other/blobs/2', path.join(snapshot, 'README.md'));
    expect(await readSmallFile(snapshot, 'config.json', 9)).toBe('text');
    await expect(readSmallFile(snapshot, 'README.md', 9)).rejects.toMatchObject(invalid);
  });

  test.each(['config.json', 'tokenizer.json', 'README.md'])(
    '%s is refused at once as a FIFO, a folder, a device, a link out and with too many bytes',
    async (name) => {
      const { outside, model } = await checkpoint();
      const file = path.join(model, name);
      const refused = () => expect(readSmallFile(model, name, 1000)).rejects.toMatchObject(invalid);
      const again = () => execFileSync('rm', ['-rf', file]);
      execFileSync('mkfifo', [file]);
      await refused();
      again();
      await mkdir(file);
      await refused();
      again();
      for (const target of ['/dev/zero', path.join(outside, 'secret'), '../outside/secret']) {
        await symlink(target, file);
        await refused();
        again();
      }
      await writeFile(file, '');
      await truncate(file, 5_000_000_000);
      await refused();
    },
  );

  test('has a bound for each kind', async () => {
    const { model } = await checkpoint();
    await writeFile(path.join(model, 'config.json'), '');
    await truncate(path.join(model, 'config.json'), bounds.modelConfigBytesMax + 1);
    await expect(readModelFolder(model)).rejects.toMatchObject(invalid);
  });

  test('is not copied by a conversion when it is a link that leads out, and not when it is no file', async () => {
    const { outside, model } = await checkpoint();
    await writeFile(path.join(model, 'README.md'), 'card');
    execFileSync('mkfifo', [path.join(model, 'NOTICE')]);
    expect((await companionFiles(model)).map(({ name }) => name)).toEqual(['README.md']);
    await symlink(path.join(outside, 'secret'), path.join(model, 'LICENSE'));
    await expect(companionFiles(model)).rejects.toMatchObject(invalid);
  });
});
