import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterEach } from 'vitest';
import { plainOffer, type Offer } from '../../../src/domain/offer.js';
import { toWorld } from '../../../src/app/world.js';
import { createServer, type ServerOptions } from '../../../src/http/server.js';
import { fakeWorld, keyA, keyB, type FakeWorld } from './fake-world.js';

export interface Listening {
  readonly world: FakeWorld;
  readonly port: number;
  readonly url: string;
  /** The unmodified official client, as tenant A and as tenant B. */
  readonly client: OpenAI;
  readonly other: OpenAI;
  /** A call with tenant A's key. */
  readonly call: (path: string, init?: RequestInit) => Promise<Response>;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server on a free port over fakes; closed after the test. */
export async function listening(
  options: ServerOptions = {},
  offer: Offer = plainOffer,
  change: Partial<FakeWorld> = {},
): Promise<Listening> {
  const world = toWorld({ ...fakeWorld(offer), ...change });
  const server = createServer(world, options);
  await server.listen({ host: '127.0.0.1', port: 0 });
  closers.push(async () => {
    server.server.closeAllConnections();
    await server.close();
  });
  const { port } = server.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const client = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${url}/v1` });
  return {
    world,
    port,
    url,
    client: client(keyA),
    other: client(keyB),
    call: (path, init = {}) =>
      fetch(url + path, { ...init, headers: { authorization: `Bearer ${keyA}`, ...(init.headers as object) } }),
  };
}

export async function errorOf(response: Response): Promise<{ code: string; param: string | null; message: string }> {
  const body = (await response.json()) as { error: { code: string; param: string | null; message: string } };
  return body.error;
}
