import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, projectRoot, sourceFiles } from '../support/project-imports.js';

/** A simulation must be able to stop `app` at every effect: time, chance and the machine come in through ports alone. */
const forbidden: readonly (readonly [string, RegExp])[] = [
  ['a timer', /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\s*\(/],
  ['the date', /\bDate\b(?!\w)/],
  ['a clock', /\bperformance\b/],
  ['random numbers', /Math\.random|randomBytes|randomUUID|getRandomValues|randomInt/],
  ['the process', /\bprocess\b\.|\bprocess\[/],
  ['the network', /\bfetch\s*\(/],
];
/** Hashing, the number of listeners of a signal, and schemas: nothing that reaches outside. */
const modules = new Set(['node:crypto', 'node:events', 'zod']);

const files = sourceFiles('src/app');
const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

test.each(files)('%s', (file) => {
  const code = withoutComments(readFileSync(path.join(projectRoot, file), 'utf8'));
  expect(forbidden.filter(([, pattern]) => pattern.test(code)).map(([what]) => what)).toEqual([]);
  expect(importsOf(file).filter(({ external, to }) => external && !modules.has(to))).toEqual([]);
});

test('the rules find what they look for', () => {
  const found = (code: string): string[] => forbidden.filter(([, pattern]) => pattern.test(code)).map(([what]) => what);
  expect(found('setTimeout(f, 1); new Date(); Math.random(); process.exit(1); performance.now(); fetch("x")')).toEqual([
    'a timer',
    'the date',
    'a clock',
    'random numbers',
    'the process',
    'the network',
  ]);
});
