import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readVersion } from '../../../src/config/read-version.js';
import { projectRoot, sourceFiles } from '../../support/project-imports.js';

const { version } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8')) as { version: string };

test('the version is that of package.json', () => {
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(readVersion()).toBe(version);
});

test('no source file has a version of its own', () => {
  const own = [...sourceFiles('src'), ...sourceFiles('workers')].filter((file) =>
    /version[^\n]*['"]\d+\.\d+\.\d+['"]/i.test(readFileSync(path.join(projectRoot, file), 'utf8')),
  );
  expect(own).toEqual([]);
});
