import { expect, test } from 'vitest';
import { keys } from '../../../../src/domain/object-keys.js';
import { eventually } from '../../../support/eventually.js';
import { keyA, tenantA } from '../fake-world.js';
import { RawSocket, type RawAnswer } from '../raw-socket.js';
import { folderServer, type FolderServer } from './folder-server.js';

const crlf = (...lines: readonly string[]): string => lines.join('\r\n');
/** A part with these headers. */
const part = (content: string, ...headers: readonly string[]): string => crlf('--b', ...headers, '', content, '');
const field = (name: string, value: string, ...more: readonly string[]): string =>
  part(value, `Content-Disposition: form-data; name="${name}"`, ...more);
const file = (content = 'abc', filename = 'in.jsonl', ...more: readonly string[]): string =>
  part(content, `Content-Disposition: form-data; name="file"; filename="${filename}"`, ...more);
const purpose = field('purpose', 'batch');
const end = '--b--\r\n';
const usual = 'multipart/form-data; boundary=b';
const megabyte = 'x'.repeat(1 << 20);
const many = (count: number, of: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => of(n)).join('');

interface Case {
  /** In pieces that are sent one after the other. */
  readonly body: string | readonly string[];
  readonly type?: string;
  readonly headers?: readonly string[];
  readonly status: number;
  readonly error?: { readonly code: string; readonly param: string | null };
  readonly file?: { readonly content: string; readonly filename: string };
}
const refused = (code: string, param: string | null = null, status = 400) => ({ status, error: { code, param } });
const noForm = refused('unsupported_media_type', 'content-type', 415);
const taken = (content = 'abc', filename = 'in.jsonl') => ({ status: 200, file: { content, filename } });
const large = (count = 50): string[] => Array.from({ length: count }, () => megabyte);

const cases: Readonly<Record<string, Case>> = {
  'no bytes': { body: '', ...refused('missing_required_parameter', 'file') },
  'no part': { body: end, ...refused('missing_required_parameter', 'file') },
  'no file': { body: purpose + end, ...refused('missing_required_parameter', 'file') },
  'no purpose': { body: file() + end, ...refused('missing_required_parameter', 'purpose') },
  'a text for the file': { body: purpose + field('file', 'abc') + end, ...refused('invalid_type', 'file') },
  'a file for the purpose': {
    body: part('batch', 'Content-Disposition: form-data; name="purpose"; filename="p"') + file() + end,
    ...refused('unknown_parameter', 'purpose'),
  },
  'a file of another name': {
    body: purpose + part('abc', 'Content-Disposition: form-data; name="data"; filename="a"') + end,
    ...refused('unknown_parameter', 'data'),
  },
  'the file before the purpose': { body: file() + purpose + end, ...taken() },
  'the purpose twice': { body: purpose + purpose + file() + end, ...refused('invalid_value', 'purpose') },
  'the purpose on both sides of the file': {
    body: purpose + file() + purpose + end,
    ...refused('invalid_value', 'purpose'),
  },
  'two files': { body: purpose + file() + file() + end, ...refused('invalid_value') },
  'a hundred files': { body: purpose + many(100, () => file()) + end, ...refused('invalid_value') },
  'a purpose as JSON': {
    body: field('purpose', '["batch"]', 'Content-Type: application/json') + file() + end,
    ...refused('invalid_type', 'purpose'),
  },
  'broken JSON': {
    body: field('purpose', '{', 'Content-Type: application/json') + file() + end,
    ...refused('invalid_value'),
  },
  '10,000 fields before the file': {
    body: purpose + many(10_000, (n) => field(`f${n}`, 'x')) + file() + end,
    ...refused('unknown_parameter', 'f0'),
  },
  '10,000 fields behind the file': {
    body: purpose + file() + many(10_000, (n) => field(`f${n}`, 'x')) + end,
    ...refused('unknown_parameter', 'f0'),
  },
  '10,000 times one field': {
    body: file() + many(10_000, () => field('expires_after[anchor]', 'created_at')) + end,
    ...refused('invalid_value', 'expires_after[anchor]'),
  },
  'a field __proto__': { body: purpose + field('__proto__', 'x') + file() + end, ...refused('unknown_parameter') },
  'a field constructor': { body: purpose + field('constructor', 'x') + file() + end, ...refused('unknown_parameter') },
  'a file __proto__': {
    body: purpose + part('x', 'Content-Disposition: form-data; name="__proto__"; filename="a"') + end,
    ...refused('unknown_parameter'),
  },
  'a field without a name': {
    body: purpose + part('x', 'Content-Disposition: form-data') + file() + end,
    ...refused('unknown_parameter', ''),
  },
  'a name of 100,000 characters': {
    body: purpose + field('n'.repeat(100_000), 'x') + file() + end,
    ...refused('unknown_parameter', 'n'.repeat(60)),
  },
  'a name with a NUL': {
    body: purpose + field('pur\0pose', 'x') + file() + end,
    ...refused('unknown_parameter', 'pur\0pose'),
  },
  'a purpose with a NUL': { body: field('purpose', 'batch\0') + file() + end, ...refused('invalid_value', 'purpose') },
  'a purpose of 50 MB': {
    body: ['--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n', ...large(), `\r\n${file()}${end}`],
    ...refused('invalid_type', 'purpose'),
  },
  '50 MB before the first boundary': { body: [...large(), `\r\n${purpose}${file()}${end}`], ...taken() },
  '50 MB behind the last boundary': { body: [purpose + file() + end, ...large()], ...taken() },
  'a header of 1 MB': {
    body: [
      purpose,
      `--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nX: `,
      megabyte,
      `\r\n\r\nabc\r\n${end}`,
    ],
    ...taken('abc', 'a'),
  },
  'a thousand headers': {
    body: purpose + file('abc', 'a', ...Array.from({ length: 1000 }, (_, n) => `X-${n}: x`)) + end,
    ...taken('abc', 'a'),
  },
  'a part without headers': { body: purpose + part('x') + file() + end, ...taken() },
  'a part without its disposition': {
    body: purpose + part('x', 'Content-Type: text/plain') + file() + end,
    ...taken(),
  },
  'a disposition of another kind': {
    body: purpose + part('x', 'Content-Disposition: attachment; name="file"; filename="a"') + end,
    ...refused('missing_required_parameter', 'file'),
  },
  'no boundary': { body: purpose + file() + end, type: 'multipart/form-data', ...noForm },
  'an empty boundary': {
    body: purpose + file() + end,
    type: 'multipart/form-data; boundary=',
    ...refused('upload_incomplete'),
  },
  'a boundary in quotes': { body: purpose + file() + end, type: 'multipart/form-data; boundary="b"', ...taken() },
  'a boundary of 1000 characters': {
    body: (purpose + file() + end).replaceAll('--b', `--${'b'.repeat(1000)}`),
    type: `multipart/form-data; boundary=${'b'.repeat(1000)}`,
    ...refused('invalid_value'),
  },
  'two boundaries': { body: purpose + file() + end, type: 'multipart/form-data; boundary=b; boundary=c', ...taken() },
  'another boundary than the body has': {
    body: purpose + file() + end,
    type: 'multipart/form-data; boundary=c',
    ...refused('upload_incomplete'),
  },
  'the boundary within a line of the content': {
    body: purpose + file('a\n--b\nb --b--\r\nz') + end,
    ...taken('a\n--b\nb --b--\r\nz'),
  },
  // A boundary may not begin a line of what it bounds.
  'the boundary at the start of a line of the content': { body: purpose + file('a\r\n--bc\r\nz') + end, ...taken('a') },
  'a last boundary without a line end': { body: `${purpose}${file()}--b--`, ...taken() },
  'no last boundary': { body: purpose + file(), ...refused('upload_incomplete') },
  'an end within a header': { body: `${purpose}--b\r\nContent-Disp`, ...refused('upload_incomplete') },
  'an end within the boundary': { body: `${purpose}${file()}--`, ...refused('upload_incomplete') },
  'lines that end with LF alone': {
    body: (purpose + file() + end).replaceAll('\r', ''),
    ...refused('upload_incomplete'),
  },
  'another media type': { body: purpose + file() + end, type: 'application/json', ...noForm },
  'mixed parts': { body: purpose + file() + end, type: 'multipart/mixed; boundary=b', ...noForm },
  'a compressed body': {
    body: purpose + file() + end,
    headers: ['Content-Encoding: gzip'],
    ...refused('unsupported_media_type', 'content-encoding', 415),
  },
  'a content that says to be base64': {
    body: purpose + file('YWJj', 'a', 'Content-Transfer-Encoding: base64') + end,
    ...taken('YWJj', 'a'),
  },
  'a form within the file': {
    body: purpose + file('--c\r\n\r\nx\r\n--c--', 'a', 'Content-Type: multipart/mixed; boundary=c') + end,
    ...taken('--c\r\n\r\nx\r\n--c--', 'a'),
  },
  'a path for the name': { body: purpose + file('abc', '../../../etc/passwd') + end, ...taken('abc', 'passwd') },
  'a path of Windows': {
    body: purpose + file('abc', String.raw`C:\\secret\\a.jsonl`) + end,
    ...taken('abc', 'a.jsonl'),
  },
  'nothing but dots': { body: purpose + file('abc', '..') + end, ...taken('abc', 'upload') },
  'no name of the file': { body: purpose + file('abc', '') + end, ...taken('abc', 'upload') },
  'a NUL in the name of the file': { body: purpose + file('abc', 'a\0b') + end, ...taken('abc', 'a\0b') },
  'quotes in the name of the file': {
    body: purpose + file('abc', String.raw`a\"; filename=\"b`) + end,
    ...taken('abc', 'a"; filename="b'),
  },
  'an escape sequence in the name of the file': {
    body: purpose + file('abc', '\x1b[31mred') + end,
    ...taken('abc', '\x1b[31mred'),
  },
  'another charset for the name': {
    body:
      purpose +
      part('abc', `Content-Disposition: form-data; name="file"; filename*=utf-8''%2e%2e%2f%0d%0aX%3a%20y`) +
      end,
    ...refused('missing_required_parameter', 'file'),
  },
  'a name of 256 characters': {
    body: purpose + file('abc', 'n'.repeat(256)) + end,
    ...refused('invalid_value', 'file'),
  },
  'a huge number of seconds': {
    body:
      purpose + field('expires_after[anchor]', 'created_at') + field('expires_after[seconds]', '1e999') + file() + end,
    ...refused('invalid_type', 'expires_after.seconds'),
  },
};

async function send({ port }: FolderServer, { body, type = usual, headers = [] }: Case): Promise<RawAnswer> {
  const pieces = [body].flat();
  const length = pieces.reduce((all, piece) => all + piece.length, 0);
  const head = ['POST /v1/files HTTP/1.1', 'Host: t', `Authorization: Bearer ${keyA}`, `Content-Type: ${type}`];
  const raw = new RawSocket(port);
  await raw.send(crlf(...head, `Content-Length: ${length}`, ...headers, '', ''));
  for (const piece of pieces) await raw.send(Buffer.from(piece, 'latin1'));
  try {
    return await raw.answer();
  } finally {
    raw.destroy();
  }
}

/** What a file leaves in the store, and nothing else. */
const objectsOf = (id: string): unknown[] => [
  expect.stringMatching(`^agenda/${tenantA}/\\d+/\\d+\\.${id}$`),
  keys.fileContent(tenantA, id),
  keys.file(tenantA, id),
  expect.stringMatching(`^${keys.fileIndex(tenantA)}\\d+-${id}$`),
];

const quota = 1_000_000;

test('each hostile form has its answer; nothing is left of those that are refused', { timeout: 300_000 }, async () => {
  const server = await folderServer(quota);
  expect(Object.keys(cases).length).toBeGreaterThanOrEqual(39);
  let bytes = 0;
  let mostMemory = 0;
  const memoryBefore = process.memoryUsage.rss();
  for (const [what, one] of Object.entries(cases)) {
    const before = await server.files();
    const answer = await send(server, one);
    expect(answer.status, `${what}: ${answer.body}`).toBe(one.status);
    const { error, id = '', filename } = JSON.parse(answer.body) as { error?: object; id?: string; filename?: string };
    await eventually('its place is free again', () => server.shares.uploads.state().active === 0);
    const made = (await server.files()).filter((name) => !before.includes(name));
    if (one.file) {
      expect(filename, what).toBe(one.file.filename);
      expect(made, what).toEqual(objectsOf(id));
      const response = await server.call(`/v1/files/${id}/content`);
      expect(response.headers.get('content-disposition'), what).toMatch(/^attachment; filename\*=UTF-8''[\w.%~!-]+$/);
      expect(await response.text(), what).toBe(one.file.content);
      bytes += one.file.content.length;
    } else {
      expect(error, what).toEqual({ ...one.error, message: expect.any(String), type: 'invalid_request_error' });
      expect(answer.body.length, what).toBeLessThan(1000);
      expect(made, what).toEqual([]);
    }
    expect(await server.openFiles(), what).toEqual([]);
    mostMemory = Math.max(mostMemory, process.memoryUsage.rss());
  }
  expect(mostMemory - memoryBefore).toBeLessThan(200 * 2 ** 20);
  // What was refused counts for nothing: all of the rest of the quota is there.
  const rest = 'x'.repeat(quota - bytes);
  expect((await send(server, { body: purpose + file(`${rest}x`) + end, status: 429 })).status).toBe(429);
  expect((await send(server, { body: purpose + file(rest) + end, status: 200 })).status).toBe(200);
});
