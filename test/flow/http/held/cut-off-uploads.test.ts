import { toFile, type OpenAI } from 'openai';
import OpenAIClient from 'openai';
import { expect, test } from 'vitest';
import { bounds } from '../../../../src/domain/bounds.js';
import { keyA } from '../fake-world.js';
import { eventually } from '../../../support/eventually.js';
import { RawSocket } from '../raw-socket.js';
import { folderServer, type FolderServer } from './folder-server.js';

const content = 'x'.repeat(3_000_000);
const purpose = '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n';
const fileHead = (name: string) => `--b\r\nContent-Disposition: form-data; name="${name}"; filename="a"\r\n\r\n`;

interface Upload {
  readonly route: string;
  readonly body: string;
}
const toFiles: Upload = { route: '/v1/files', body: `${purpose}${fileHead('file')}${content}\r\n--b--\r\n` };
const toParts = (uploadId: string): Upload => ({
  route: `/v1/uploads/${uploadId}/parts`,
  body: `${fileHead('data')}${content}\r\n--b--\r\n`,
});

/** What is sent of an upload before it is cut off. */
type Cut = (upload: Upload) => string;
const head = (route: string, length: string): string =>
  [
    `POST ${route} HTTP/1.1`,
    'Host: t',
    `Authorization: Bearer ${keyA}`,
    length,
    'Content-Type: multipart/form-data; boundary=b',
    '',
    '',
  ].join('\r\n');
const declared =
  (at: (body: string) => number): Cut =>
  ({ route, body }) =>
    head(route, `Content-Length: ${body.length}`) + body.slice(0, at(body));
const chunked =
  (rest: (body: string) => string): Cut =>
  ({ route, body }) =>
    head(route, 'Transfer-Encoding: chunked') + rest(body);
const contentAt = (body: string): number => body.indexOf(content);

const cuts: Readonly<Record<string, Cut>> = {
  'before the body': declared(() => 0),
  'within the first boundary': declared(() => 2),
  'within a header': declared(() => 20),
  'behind the first headers': declared((body) => body.indexOf('\r\n\r\n') + 4),
  'before the content': declared(contentAt),
  'behind a byte of the content': declared((body) => contentAt(body) + 1),
  'within the content': declared((body) => contentAt(body) + 2_000_000),
  'behind the content': declared((body) => contentAt(body) + content.length),
  'within the last boundary': declared((body) => body.length - 5),
  'within the size of a chunk': chunked(
    (body) => `${contentAt(body).toString(16)}\r\n${body.slice(0, contentAt(body))}\r\n1000`,
  ),
  'within a chunk': chunked((body) => `${body.length.toString(16)}\r\n${body.slice(0, contentAt(body) + 1_000_000)}`),
  'between two chunks': chunked((body) => `${(2_000_000).toString(16)}\r\n${body.slice(0, 2_000_000)}\r\n`),
};

const ways: Readonly<Record<string, (raw: RawSocket) => unknown>> = {
  closed: (raw) => raw.destroy(),
  reset: (raw) => raw.socket.resetAndDestroy(),
  'half closed': (raw) => raw.socket.end(),
};

const clientOf = ({ port }: FolderServer): OpenAI =>
  new OpenAIClient({ apiKey: keyA, baseURL: `http://127.0.0.1:${port}/v1` });
const upload = (client: OpenAI) =>
  client.uploads.create({ bytes: content.length, filename: 'a', mime_type: 'text/plain', purpose: 'batch' });

/** Waits until nothing is under way any more of so many uploads, and nothing is left of them. */
async function expectNothingLeft(
  server: FolderServer,
  before: readonly string[],
  uploads: number,
  what: string,
): Promise<void> {
  const { log } = server.world;
  const seen = (): number => log.of('http.request').length + log.of('http.client_gone').length;
  await eventually(`the server has seen the end: ${what}`, () => seen() >= uploads);
  await eventually(`nothing is left: ${what}`, async () => {
    const { active, waiting } = server.shares.uploads.state();
    const [files, open] = [await server.files(), await server.openFiles()];
    return active + waiting + open.length === 0 && files.join() === before.join();
  });
}

/** Room for one content, so that whatever a cut-off upload went on counting for is missed. */
const quota = content.length;

test.each(Object.keys(ways))('a file or a part whose connection is %s anywhere', { timeout: 300_000 }, async (way) => {
  const server = await folderServer(quota);
  const client = clientOf(server);
  const { id } = await upload(client);
  const before = await server.files();
  expect(Object.keys(cuts)).toHaveLength(12);
  // The upload was begun with a call.
  let calls = 1;
  for (const [where, cut] of Object.entries(cuts))
    for (const one of [toFiles, toParts(id)]) {
      const raw = new RawSocket(server.port);
      await raw.send(cut(one));
      ways[way]?.(raw);
      await raw.end();
      expect(raw.received, where).not.toMatch(/^HTTP\/1\.1 [25]/);
      await expectNothingLeft(server, before, ++calls, `${where}, ${one.route}`);
    }
  // All of the quota and of the upload's own bytes is there.
  const part = await client.uploads.parts.create(id, { data: await toFile(Buffer.from(content), 'a') });
  const { file } = await client.uploads.complete(id, { part_ids: [part.id] });
  expect(file?.bytes).toBe(content.length);
});

test('files and parts that stop in the middle, with their connection open', { timeout: 300_000 }, async () => {
  const server = await folderServer(quota, { bodyRate: { bytesPerSecondMin: 1000, graceMs: 300 } });
  const { id } = await upload(clientOf(server));
  const before = await server.files();
  const raws = Object.values(cuts).flatMap((cut) =>
    [toFiles, toParts(id)].map((one) => {
      const raw = new RawSocket(server.port);
      void raw.send(cut(one));
      return raw;
    }),
  );
  for (const raw of raws) {
    await raw.end();
    expect(raw.received).toMatch(/^HTTP\/1\.1 4/);
  }
  await expectNothingLeft(server, before, 1 + raws.length, 'all');
});

test.each([
  ['files', 40],
  ['parts', 40],
])('%s that are cut off at once: %i of them', { timeout: 300_000 }, async (kind, count) => {
  const server = await folderServer(count * content.length);
  const client = clientOf(server);
  const { id } = await upload(client);
  const before = await server.files();
  const one = kind === 'files' ? toFiles : toParts(id);
  const raws = Array.from({ length: count }, () => new RawSocket(server.port));
  const within = cuts['within the content'];
  const sent = raws.map((raw) => raw.send(within?.(one) ?? ''));
  const { uploads } = server.shares;
  await eventually('they are under way', () => uploads.state().active === bounds.uploadsPerTenant);
  await eventually('their content comes in', async () => (await server.openFiles()).length > 0);
  await Promise.race(sent);
  for (const [n, raw] of raws.entries()) Object.values(ways)[n % 3]?.(raw);
  await expectNothingLeft(server, before, 1 + count, kind);
  expect((await client.files.list()).data).toEqual([]);
  const file = await client.files.create({ file: await toFile(Buffer.from(content), 'a'), purpose: 'batch' });
  expect(file.bytes).toBe(content.length);
});
