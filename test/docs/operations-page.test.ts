import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { apiSettings, commonSettings, controlSettings, generateSettings } from '../../src/config/settings.js';
import { projectRoot } from '../support/project-imports.js';

const page = readFileSync(path.join(projectRoot, 'docs/operations.md'), 'utf8');
const schemas = [commonSettings, apiSettings, controlSettings, generateSettings];

test('the operations page lists every setting, and no other', () => {
  const listed = [...page.matchAll(/^\| `(EYRIE_\w+)` +\|/gm)].map(([, name]) => name ?? '');
  expect(listed.toSorted()).toEqual(schemas.flatMap((schema) => Object.keys(schema.shape)).toSorted());
});

test('the defaults on the page are the defaults', () => {
  const listed = new Map(
    [...page.matchAll(/^\| `(EYRIE_\w+)` +\| `([^`]+)` +\|/gm)].map(([, name, value]) => [name ?? '', value ?? '']),
  );
  const machineDependent = new Set(['EYRIE_THREADS']);
  for (const schema of schemas)
    for (const [name, field] of Object.entries(schema.shape)) {
      const result = (
        field as { safeParse(value: unknown): { success: boolean; data?: string | number | boolean } }
      ).safeParse(undefined);
      if (!result.success || result.data === undefined || machineDependent.has(name)) continue;
      expect(listed.get(name), name).toBe(String(result.data));
    }
});
