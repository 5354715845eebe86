import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3Store } from '../../src/adapters/s3/s3-store.js';
import { findVersitygw, Versitygw } from '../support/versitygw.js';
import { describeObjectStore } from './object-store.js';

const found = await findVersitygw();
const reason = 'missing' in found ? found.missing : '';
const bucket = 'eyrie';

async function start(): Promise<Versitygw> {
  if (!('program' in found)) throw new Error(found.missing);
  return Versitygw.start(found.program, [bucket]);
}

const connect = ({ endpoint, credentials }: Versitygw, prefix: string, secretAccessKey = credentials.secretAccessKey) =>
  new S3Store({
    bucket,
    prefix,
    region: 'us-east-1',
    endpoint,
    credentials: { ...credentials, secretAccessKey },
    retry: { attemptsMax: 4, pauseMsBase: 50 },
  });

describe.skipIf(reason !== '')(`S3 on a real server ${reason}`, () => {
  // 20 MB: two whole parts and a rest.
  describeObjectStore('S3Store', { raceRounds: 50, longStreamBytes: 20_000_000 }, async () => {
    const server = await start();
    const another = () => Promise.resolve(connect(server, '/some/prefix'));
    return { store: await another(), another, close: () => server.close() };
  });

  describe('S3Store in trouble', () => {
    let server: Versitygw;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.close());

    it('keeps prefixes apart and shows keys without them', async () => {
      const [one, two] = [connect(server, 'one'), connect(server, 'two/')];
      await one.put('a', new Uint8Array([1]));
      await two.put('b', new Uint8Array([2]));
      expect((await one.list('')).objects.map(({ key }) => key)).toEqual(['a']);
      expect(await two.head('a')).toBeNull();
    });

    it('streams lengths around the size of a part', async () => {
      const store = connect(server, 'edges');
      const part = 8 * 1024 * 1024;
      for (const length of [part - 1, part, part + 1, 2 * part]) {
        const source = async function* (): AsyncGenerator<Uint8Array> {
          yield new Uint8Array(length).fill(length % 251);
        };
        expect((await store.putStream(`n${length}`, source())).bytes).toBe(length);
        const got = await store.get(`n${length}`);
        expect(got?.bytes.length).toBe(length);
        expect(got?.bytes.every((byte) => byte === length % 251)).toBe(true);
      }
    });

    it('outlives a restart of the server amid calls, and reads a body on', async () => {
      const store = connect(server, 'restart');
      const bytes = Buffer.alloc(12_000_000, 'eyrie');
      await store.put('body', bytes);
      const got = await store.getStream('body');
      const parts: Uint8Array[] = [];
      for await (const part of got?.body ?? []) {
        parts.push(part);
        if (parts.length === 1) {
          await server.kill();
          setTimeout(() => void server.resume(), 60);
        }
      }
      expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
    });

    it('says what is wrong when the server is away, the secret is wrong, or the bucket is missing', async () => {
      const code = 'store_unavailable';
      await expect(connect(server, '', 'wrong').put('a', new Uint8Array())).rejects.toMatchObject({
        code,
        message: expect.stringContaining('secret key') as string,
      });
      const elsewhere = new S3Store({
        bucket: 'none',
        region: 'us-east-1',
        endpoint: server.endpoint,
        credentials: server.credentials,
      });
      await expect(elsewhere.list('')).rejects.toMatchObject({
        code,
        message: expect.stringContaining('bucket') as string,
      });
      await expect(elsewhere.get('a')).rejects.toMatchObject({ code });
      await server.kill();
      await expect(connect(server, '').head('a')).rejects.toMatchObject({ code });
      await server.resume();
    });
  });
});
