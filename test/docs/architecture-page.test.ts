import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../support/project-imports.js';

const read = (file: string): string => readFileSync(path.join(projectRoot, file), 'utf8');

test.each([
  'README.md',
  ...readdirSync(path.join(projectRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
])('every file and link named in %s exists', (page) => {
  const text = read(page);
  const named = [...text.matchAll(/`((?:src|workers|native|test|docs|models|infra|bench)\/[\w./-]+)`/g)].map(
    ([, file]) => file ?? '',
  );
  const linked = [...text.matchAll(/\]\((?!https?:)([\w./-]+)\)/g)].map(([, file]) =>
    path.posix.join(path.posix.dirname(page), file ?? ''),
  );
  const built = new Set(['native/build/']);
  expect([...named, ...linked].filter((file) => !built.has(file) && !existsSync(path.join(projectRoot, file)))).toEqual(
    [],
  );
});

test('the walk names one file for each step of app', () => {
  const walk = read('docs/architecture.md');
  const steps = [
    'accept-batch',
    'plan-batch',
    'generate-shard',
    'finish-batch',
    'send-webhook',
    'watch-inbox',
    'reconcile',
    'scale-fleet',
  ];
  for (const step of steps) expect(walk.match(new RegExp(`^\\|.*src/app/${step}\\.ts`, 'gm')), step).toHaveLength(1);
});
