import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { countedEvents } from '../../../src/observe/count-event.js';
import { projectRoot, sourceFiles } from '../../support/project-imports.js';

const texts = [...sourceFiles('src'), ...sourceFiles('workers')]
  .filter((file) => !file.startsWith('src/observe/'))
  .map((file) => readFileSync(path.join(projectRoot, file), 'utf8'));

test('every event that counts is one that some code logs', () => {
  expect(countedEvents).toContain('webhook.gave_up');
  expect(countedEvents.filter((event) => !texts.some((text) => text.includes(`'${event}'`)))).toEqual([]);
});

test('no name of an event is put together, which no search would find', () => {
  expect(texts.flatMap((text) => text.match(/\blog\.\w+\([^)'"]*`\w+\.\$\{/g) ?? [])).toEqual([]);
});
