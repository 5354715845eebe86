import { randomUUID } from 'node:crypto';
import { connect, type AddressInfo, type Socket } from 'node:net';
import OpenAI, { toFile } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { S3Store, type S3StoreOptions } from '../../../../src/adapters/s3/s3-store.js';
import { BatchRecords } from '../../../../src/app/batch-records.js';
import { createServer } from '../../../../src/http/server.js';
import { apiShares } from '../../../../src/http/shares.js';
import { eventually } from '../../../support/eventually.js';
import { findVersitygw, Versitygw } from '../../../support/versitygw.js';
import { fakeWorld, keyA, keyB } from '../fake-world.js';

const found = await findVersitygw();
const reason = 'missing' in found ? found.missing : '';
const bytes = 12_000_000;

describe.skipIf(reason !== '')(`downloads from a real S3 server ${reason}`, () => {
  let s3: Versitygw;
  beforeAll(async () => {
    if (!('program' in found)) throw new Error(found.missing);
    s3 = await Versitygw.start(found.program, ['eyrie']);
  });
  afterAll(() => s3.close());
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  const storeOf = (options: Partial<S3StoreOptions> = {}): S3Store =>
    new S3Store({
      bucket: 'eyrie',
      prefix: randomUUID(),
      region: 'us-east-1',
      endpoint: s3.endpoint,
      credentials: s3.credentials,
      ...options,
    });

  test('bodies that nobody reads take no connection of other calls', async () => {
    const store = storeOf({ sockets: { small: 2, reads: 2, writes: 1 } });
    await store.put('big', Buffer.alloc(bytes));
    const unread = await Promise.all([store.getStream('big'), store.getStream('big')]);
    expect(await store.head('big')).toMatchObject({ bytes });
    expect((await store.list('')).objects.length).toBe(1);
    await store.put('small', Buffer.from('x'));
    expect((await store.get('small'))?.bytes.length).toBe(1);
    const source = (async function* () {
      yield Buffer.alloc(9_000_000);
    })();
    expect((await store.putStream('sent', source)).bytes).toBe(9_000_000);
    for (const one of unread) await one?.body[Symbol.asyncIterator]().return?.();
  });

  test('a body that nobody needs any more frees its connection at once, also while it is waited for', async () => {
    const store = storeOf({ sockets: { reads: 1 } });
    await store.put('big', Buffer.alloc(bytes));
    const gone = new AbortController();
    const first = await store.getStream('big', { signal: gone.signal });
    expect(first).not.toBeNull();
    // There is one connection, and it is taken.
    const stillWaiting = new AbortController();
    const second = store.getStream('big', { signal: stillWaiting.signal });
    stillWaiting.abort(new Error('not needed'));
    await expect(second).rejects.toThrow('not needed');
    gone.abort(new Error('gone'));
    const third = await store.getStream('big');
    let read = 0;
    for await (const chunk of third?.body ?? []) read += chunk.length;
    expect(read).toBe(bytes);
    await expect(first?.body[Symbol.asyncIterator]().next()).rejects.toThrow('gone');
  });

  test('260 downloads that are not read stop nobody else', { timeout: 120_000 }, async () => {
    const store = storeOf();
    const base = fakeWorld();
    const world = { ...base, store, records: new BatchRecords(store, base.clock) };
    const shares = apiShares(world);
    const server = createServer(world, { shares });
    await server.listen({ host: '127.0.0.1', port: 0 });
    closers.push(async () => {
      server.server.closeAllConnections();
      await server.close();
    });
    const { port } = server.server.address() as AddressInfo;
    const baseURL = `http://127.0.0.1:${port}/v1`;
    const [mallory, bob] = [keyA, keyB].map((apiKey) => new OpenAI({ apiKey, baseURL, maxRetries: 0 }));
    if (!mallory || !bob) throw new Error('no clients');
    const big = await mallory.files.create({ file: await toFile(Buffer.alloc(bytes), 'big'), purpose: 'batch' });
    const own = await bob.files.create({ file: await toFile(Buffer.from('mine'), 'own'), purpose: 'batch' });
    const open: Socket[] = [];
    closers.push(() => open.forEach((socket) => socket.destroy()));
    for (let i = 0; i < 260; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.pause();
      socket.write(`GET /v1/files/${big.id}/content HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer ${keyA}\r\n\r\n`);
      open.push(socket);
    }
    await eventually('they are held', () => shares.downloads.state().waiting === 64, 60_000);
    expect(shares.downloads.state().active).toBe(32);
    expect((await bob.files.list()).data.length).toBe(1);
    expect(await (await bob.files.content(own.id)).text()).toBe('mine');
    await bob.files.create({ file: await toFile(Buffer.alloc(9_000_000), 'another'), purpose: 'batch' });
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    for (const socket of open) socket.destroy();
    await eventually('all places are free', () => shares.downloads.state().active === 0, 60_000);
  });
});
