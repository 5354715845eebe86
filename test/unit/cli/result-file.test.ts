import { execFileSync } from 'node:child_process';
import { link, lstat, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ResultFile } from '../../../src/cli/result-file.js';
import { tempFolder } from '../../support/temp-folder.js';

async function writeAll(file: string, lines: readonly string[]): Promise<void> {
  const result = await ResultFile.open(file);
  try {
    for (const line of lines) await result.write(line);
    await result.finish();
  } catch (error) {
    await result.abandon();
    throw error;
  }
}

describe('a file of results', () => {
  test('is absent until it is whole', async () => {
    const folder = await tempFolder();
    const file = path.join(folder, 'out.jsonl');
    const result = await ResultFile.open(file);
    await result.write('{"a":1}\n');
    expect(await readdir(folder)).toEqual(['out.jsonl.partial']);
    await result.finish();
    expect(await readdir(folder)).toEqual(['out.jsonl']);
    expect(await readFile(file, 'utf8')).toBe('{"a":1}\n');
  });

  test('is not the file that its lines come of, under whatever name', async () => {
    const folder = await tempFolder();
    const [input, symbolic, hard] = ['in.jsonl', 'symbolic.jsonl', 'hard.jsonl'].map((name) => path.join(folder, name));
    if (!input || !symbolic || !hard) throw new Error('three names');
    await writeFile(input, 'requests');
    await symlink(input, symbolic);
    await link(input, hard);
    for (const name of [input, symbolic, hard])
      await expect(ResultFile.open(name, input)).rejects.toMatchObject({
        code: 'invalid_value',
        message: expect.stringContaining('is the input file itself') as string,
      });
    expect(await readFile(input, 'utf8')).toBe('requests');
    await (await ResultFile.open(path.join(folder, 'out.jsonl'), input)).abandon();
    await (await ResultFile.open(path.join(folder, 'out.jsonl'), '-')).abandon();
  });

  test('leaves an older file alone when it is abandoned', async () => {
    const folder = await tempFolder();
    const file = path.join(folder, 'out.jsonl');
    await writeFile(file, 'older');
    const result = await ResultFile.open(file);
    await result.write('newer');
    await result.abandon();
    expect(await readdir(folder)).toEqual(['out.jsonl']);
    expect(await readFile(file, 'utf8')).toBe('older');
  });

  test('is written where a link points to; the link stays', async () => {
    const folder = await tempFolder();
    await writeFile(path.join(folder, 'target.jsonl'), 'older');
    await symlink('target.jsonl', path.join(folder, 'link.jsonl'));
    await writeAll(path.join(folder, 'link.jsonl'), ['newer\n']);
    expect((await lstat(path.join(folder, 'link.jsonl'))).isSymbolicLink()).toBe(true);
    expect(await readFile(path.join(folder, 'target.jsonl'), 'utf8')).toBe('newer\n');
  });

  test('may be a pipe', async () => {
    const folder = await tempFolder();
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    // More than a pipe holds, so that the writer has to wait for the reader.
    const lines = Array.from({ length: 4000 }, (_, i) => `${i}`.padEnd(100, '.') + '\n');
    const [text] = await Promise.all([readFile(pipe, 'utf8'), writeAll(pipe, lines)]);
    expect(text).toBe(lines.join(''));
    expect(await readdir(folder)).toEqual(['pipe']);
  });

  test('a full disk is told, and a device is never replaced', async () => {
    await expect(writeAll('/dev/full', ['x\n'])).rejects.toMatchObject({ code: 'disk_full' });
    expect((await lstat('/dev/full')).isCharacterDevice()).toBe(true);
  });

  test('a folder and a missing folder are told before any work', async () => {
    const folder = await tempFolder();
    await mkdir(path.join(folder, 'sub'));
    await expect(ResultFile.open(path.join(folder, 'sub'))).rejects.toMatchObject({ code: 'invalid_value' });
    await expect(ResultFile.open(path.join(folder, 'none/out.jsonl'))).rejects.toMatchObject({ code: 'not_found' });
  });
});
