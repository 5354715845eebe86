import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { errorKinds } from '../../src/domain/errors.js';
import { projectRoot } from '../support/project-imports.js';

const page = readFileSync(path.join(projectRoot, 'docs/errors.md'), 'utf8');
const rows = new Map(
  [...page.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, code, status]) => [code ?? '', Number(status)]),
);

test('the error page lists every code with its status, and no other', () => {
  const kinds = Object.entries(errorKinds).map(([code, { status }]) => [code, status] as const);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(kinds));
});
