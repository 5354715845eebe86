import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { completionLine, FakeService } from '../../support/fake-service.js';

const good = completionLine('good', 'hi');
const lineOf = (change: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...(JSON.parse(completionLine('x', 'hi')) as object), ...change });
const bodyOf = (body: string): string => `{"custom_id":"x","method":"POST","url":"/v1/completions","body":${body}}`;

/** Files with one good line each, and what is wrong beside it; how many lines end well in a lenient batch. */
const files: readonly (readonly [what: string, content: string, completed: number, failed: number])[] = [
  ['no JSON', `${good}\n{`, 1, 1],
  ['an array', `${good}\n[]`, 1, 1],
  ['a text', `${good}\n"x"`, 1, 1],
  ['null', `${good}\nnull`, 1, 1],
  ['NaN', `${good}\n${bodyOf('NaN')}`, 1, 1],
  ['carriage returns', `${good}\r\n${completionLine('b', 'hi')}\r\n`, 2, 0],
  ['a carriage return in a line', `${good}\n{"a"\r:1}`, 1, 1],
  ['a byte order mark', `\ufeff${good}`, 1, 0],
  ['a zero byte', `${good}\n\0`, 1, 1],
  ['zero bytes in a text', `${good}\n${bodyOf('{"model":"falcon","prompt":"\0"}')}`, 1, 1],
  ['UTF-16', `${good}\n${Buffer.from(good, 'utf16le').toString('latin1')}`, 1, 1],
  ['a million blank lines', `${'\n'.repeat(1_000_000)}${good}`, 1, 0],
  ['lines of blanks', `${'   \t \n'.repeat(1000)}${good}`, 1, 0],
  ['a long line', `${good}\n${'x'.repeat(bounds.lineBytesMax + 10)}`, 1, 1],
  ['a line of 20 MB', `${good}\n${'x'.repeat(20_000_000)}`, 1, 1],
  ['100 levels', `${good}\n${bodyOf(`${'['.repeat(100)}${']'.repeat(100)}`)}`, 1, 1],
  ['100,000 levels', `${good}\n${'{"a":'.repeat(100_000)}`, 1, 1],
  [
    'too many members',
    `${good}\n${bodyOf(`{${Array.from({ length: 5000 }, (_, n) => `"k${n}":1`).join(',')}}`)}`,
    1,
    1,
  ],
  ['too many objects', `${good}\n${bodyOf(`{"prompt":[${'{},'.repeat(20_000)}{}]}`)}`, 1, 1],
  ['a method in another case', `${good}\n${lineOf({ method: 'post' })}`, 1, 1],
  ['a method in an array', `${good}\n${lineOf({ method: ['POST'] })}`, 1, 1],
  ['a url with a host', `${good}\n${lineOf({ url: 'http://evil.test/v1/completions' })}`, 1, 1],
  ['a url with a path up', `${good}\n${lineOf({ url: '/v1/../v1/completions' })}`, 1, 1],
  ['a url with a query', `${good}\n${lineOf({ url: '/v1/completions?x=1' })}`, 1, 1],
  ['a body as a text', `${good}\n${lineOf({ body: '{"model":"falcon"}' })}`, 1, 1],
  ['a member __proto__', `${good}\n${bodyOf('{"model":"falcon","prompt":"x","__proto__":{"n":2}}')}`, 1, 1],
  ['a repeated id', `${good}\n${good}`, 1, 1],
  ['a stream', `${good}\n${bodyOf('{"model":"falcon","prompt":"x","stream":true}')}`, 1, 1],
  ['no line feed at the end', good, 1, 0],
];

const customIds = [
  'a',
  ' ',
  '"',
  '\\',
  '\n',
  '\r\n',
  '\0',
  '\u0001',
  '\u2028',
  '\u202e',
  '\ud83d',
  '😀',
  '鷲',
  '../../etc/passwd',
  '<script>',
  '__proto__',
  'constructor',
  'null',
  '1',
  '{"a":1}',
  "'; DROP TABLE x; --",
  '%00',
  '${a}',
  'x'.repeat(256),
];

async function run(content: string) {
  const service = new FakeService();
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit([content], { eyrie: { validation: 'lenient' } });
  const batch = await service.untilEnd(id);
  return { service, batch };
}

test.each(files)('a file with %s', { timeout: 120_000 }, async (_, content, completed, failed) => {
  const { service, batch } = await run(content);
  expect(batch.status, JSON.stringify(batch.errors)).toBe('completed');
  expect(batch.request_counts).toEqual({ total: completed + failed, completed, failed });
  // Reading them parses every line.
  if (completed > 0) expect(service.results(batch.id, 'output')).toHaveLength(completed);
  if (failed > 0) expect(service.results(batch.id, 'errors')).toHaveLength(failed);
});

test('50,001 lines are too many', { timeout: 120_000 }, async () => {
  const lines = Array.from({ length: bounds.batchLinesMax + 1 }, (_, n) => completionLine(String(n), 'x'));
  const { service, batch } = await run(lines.join('\n'));
  expect(batch.status).toBe('failed');
  expect([...service.world.refusals.counts()]).toEqual([['batchLinesMax', 1]]);
});

test('24 custom_ids come back as they were', async () => {
  const { service, batch } = await run(customIds.map((customId) => completionLine(customId, 'hi')).join('\n'));
  expect(batch.request_counts).toEqual({ total: 24, completed: 24, failed: 0 });
  expect(service.results(batch.id, 'output').map((line) => line.custom_id)).toEqual(customIds);
});
