import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';

const folder = new URL('../../../src/domain/bounds/', import.meta.url);

test('each bound is set in one file, and all files are taken up', async () => {
  const modules = await Promise.all(
    (await readdir(folder)).map(async (file) => (await import(new URL(file, folder).href)) as Record<string, object>),
  );
  const names = modules.flatMap((parts) => Object.values(parts).flatMap((part) => Object.keys(part)));
  expect(names.toSorted()).toEqual(Object.keys(bounds).toSorted());
});
