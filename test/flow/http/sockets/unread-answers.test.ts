import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { bounds } from '../../../../src/domain/bounds.js';
import { eventually } from '../../../support/eventually.js';
import { jsonPost } from '../answering.js';
import { keyA, keyB } from '../fake-world.js';
import { listening, type Listening } from '../listening.js';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Asks, once or several times, and reads nothing until told to. */
function unread({ port }: Listening, path: string, key = '', times = 1): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.pause();
  const authorization = key ? `Authorization: Bearer ${key}\r\n` : '';
  socket.write(`GET ${path} HTTP/1.1\r\nHost: t\r\n${authorization}\r\n`.repeat(times));
  open.push(socket);
  return socket;
}

/** Batches whose metadata have 55 KB each in JSON. */
async function createBatches(server: Listening, key: string, count: number): Promise<void> {
  const metadata = Object.fromEntries(
    Array.from({ length: bounds.metadataPairsMax }, (_, at) => [
      String(at).padEnd(bounds.metadataKeyCharsMax, '\u0001'),
      '\u0001'.repeat(bounds.metadataValueCharsMax),
    ]),
  );
  const body = { input_file_id: 'file-x', endpoint: '/v1/completions', completion_window: '24h', metadata };
  const { headers, ...post } = jsonPost(body);
  for (let at = 0; at < count; at++) {
    const made = await server.call('/v1/batches', {
      ...post,
      headers: { ...(headers as object), authorization: `Bearer ${key}` },
    });
    expect(made.status).toBe(200);
  }
}

const cuts = ({ world }: Listening): number => world.refusals.counts().get('unreadPerTenantBytesMax') ?? 0;

test('a page of a list ends by its bytes, and its pages show each entry once', async () => {
  const server = await listening({ requestsPerMinute: null });
  await createBatches(server, keyA, 90);
  const first = await server.call('/v1/batches?limit=100');
  expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8');
  const text = await first.text();
  expect(text.length).toBeLessThan(bounds.listPageBytes + 1000);
  const page = JSON.parse(text) as { data: { id: string }[]; has_more: boolean; last_id: string };
  expect(page.data.length).toBeLessThan(90);
  expect(page).toMatchObject({ has_more: true, last_id: page.data.at(-1)?.id });
  const seen = new Set<string>();
  for await (const { id } of server.client.batches.list({ limit: 100 })) seen.add(id);
  expect(seen.size).toBe(90);
});

test(
  'answers that nobody reads are held up to a bound by tenant; others, and slow readers, get theirs',
  { timeout: 60_000 },
  async () => {
    const server = await listening({ requestsPerMinute: null });
    await createBatches(server, keyA, 80);
    await createBatches(server, keyB, 80);
    const hers = unread(server, '/v1/batches?limit=100', keyB);
    // The second answer has no connection before the first is out, whatever the system's buffers hold.
    const attackers = Array.from({ length: 60 }, () => unread(server, '/v1/batches?limit=100', keyA, 2));
    await eventually('some were cut', () => cuts(server) > 0);
    const most = bounds.unreadPerTenantBytesMax / (bounds.listPageBytes - 60_000);
    await eventually('few are left', () => attackers.length - cuts(server) <= most);
    const theirs = await server.other.batches.list({ limit: 2 });
    expect(theirs.data).toHaveLength(2);
    let received = '';
    hers.on('data', (chunk) => (received += chunk.toString('latin1')));
    hers.resume();
    await eventually('a slow reader has it all', () => received.endsWith('"has_more":true}'));
    expect(hers.destroyed).toBe(false);
  },
);

test('the document is no less there for callers without a key when many do not read it', async () => {
  const server = await listening();
  const { length } = await (await fetch(`${server.url}/openapi.json`)).text();
  expect(length).toBeGreaterThan(10_000);
  for (let at = 0; at < 200; at++) unread(server, '/openapi.json');
  await eventually('they are answered', () => server.world.log.of('http.request').length >= 1);
  expect((await (await fetch(`${server.url}/openapi.json`)).text()).length).toBe(length);
  expect(server.world.refusals.counts().size).toBe(0);
});
