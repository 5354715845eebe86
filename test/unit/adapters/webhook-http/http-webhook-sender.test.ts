import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished, describe, expect, it } from 'vitest';
import { HttpWebhookSender } from '../../../../src/adapters/webhook-http/http-webhook-sender.js';
import { NameLookup, type Names } from '../../../../src/adapters/webhook-http/names/name-lookup.js';
import { noPublicAddress } from '../../../../src/adapters/webhook-http/public-addresses.js';
import { FixedNames } from '../../../support/fixed-names.js';
import { freePort, loopbackServer } from '../../../support/loopback-server.js';

async function receiver(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

const local = new HttpWebhookSender({
  allowPrivate: true,
  userAgent: 'Eyrie/1.2.3',
  names: new NameLookup({ servers: ['127.0.0.1:9'], search: true }),
});
const post = (url: string, timeoutMs = 5000) =>
  local.post({
    tenant: 'acme',
    url,
    headers: { 'content-type': 'application/json', 'webhook-id': 'evt_1' },
    body: '{"a":"ü"}',
    timeoutMs,
  });

const postTo = (names: Names, url: string) =>
  new HttpWebhookSender({ allowPrivate: true, names, userAgent: 'Eyrie/1.2.3' }).post({
    tenant: 'acme',
    url,
    headers: {},
    body: '{}',
    timeoutMs: 2000,
  });

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

describe('HttpWebhookSender', () => {
  it('posts the body and headers as they are and gives the status', async () => {
    const seen: unknown[] = [];
    const url = await receiver((request, response) => {
      const { method, headers } = request;
      void bodyOf(request).then((body) => {
        seen.push([method, headers['webhook-id'], headers['content-length'], headers['user-agent'], body]);
        return response.writeHead(204).end();
      });
    });
    expect(await post(url)).toEqual({ status: 204, error: null, retryAfterMs: null });
    expect(seen).toEqual([['POST', 'evt_1', '10', 'Eyrie/1.2.3', '{"a":"ü"}']]);
  });

  it('gives Retry-After', async () => {
    const url = await receiver((_request, response) => response.writeHead(429, { 'retry-after': '30' }).end());
    expect(await post(url)).toEqual({ status: 429, error: null, retryAfterMs: 30_000 });
  });

  it('follows no redirect', async () => {
    let visits = 0;
    const url = await receiver((_request, response) => {
      visits++;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    expect((await post(url)).status).toBe(307);
    expect(visits).toBe(1);
  });

  it('reads an endless answer to its bound only', async () => {
    let sent = 0;
    const url = await receiver((_request, response) => {
      response.writeHead(200);
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
        if (!response.destroyed) response.once('drain', write);
      };
      write();
    });
    expect(await post(url)).toMatchObject({ status: 200, error: null });
    // The bound is 64 KiB; the rest is what the kernel took.
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('takes the status of an answer whose body never ends, within the timeout', async () => {
    const url = await receiver((_request, response) => void response.writeHead(200).write('x'));
    const start = performance.now();
    expect(await post(url, 300)).toMatchObject({ status: 200, error: null });
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('says timeout when no answer comes, and when it drips', async () => {
    const silent = await receiver(() => undefined);
    expect(await post(silent, 200)).toEqual({ status: null, error: 'timeout', retryAfterMs: null });
    const dripping = await receiver((_request, response) => {
      const timer = setInterval(() => response.writeProcessing(), 50);
      response.once('close', () => clearInterval(timer));
    });
    expect(await post(dripping, 400)).toMatchObject({ status: null, error: 'timeout' });
  });

  it('says in words without an address why there was no answer', async () => {
    const cut = await receiver((request) => request.socket.destroy());
    expect(await post(cut)).toMatchObject({ status: null, error: 'connection closed' });
    expect(await post(`http://127.0.0.1:${await freePort()}/`)).toMatchObject({
      status: null,
      error: 'connection refused',
    });
    expect(await postTo(new FixedNames(), 'http://name.invalid/')).toMatchObject({
      status: null,
      error: 'name not found',
    });
    expect(await post('nonsense')).toMatchObject({ status: null, error: 'not a URL' });
  });

  it('does not understand an answer that is no HTTP, or has huge headers', async () => {
    const port = await loopbackServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    expect(await post(`http://127.0.0.1:${port}/`)).toMatchObject({ status: null, error: 'answer not understood' });
    const huge = await receiver((_request, response) => response.writeHead(200, { big: 'x'.repeat(20_000) }).end());
    expect(await post(huge)).toMatchObject({ status: null, error: 'answer not understood' });
  });

  it('does not throw for headers that are none', async () => {
    const url = await receiver((_request, response) => response.end());
    const answer = await local.post({ tenant: 'acme', url, headers: { 'a\r\nb': 'c' }, body: '', timeoutMs: 1000 });
    expect(answer).toEqual({ status: null, error: 'request failed', retryAfterMs: null });
  });

  it('refuses private receivers unless allowed, by their address and by their name', async () => {
    let visits = 0;
    const url = await receiver((_request, response) => {
      visits++;
      response.end();
    });
    const { port } = new URL(url);
    const rebinding = new HttpWebhookSender({
      allowPrivate: false,
      names: new FixedNames('127.0.0.1'),
      userAgent: 'Eyrie/1.2.3',
    });
    const send = (target: string) =>
      rebinding.post({ tenant: 'acme', url: target, headers: {}, body: '{}', timeoutMs: 2000 });
    expect(await send(`https://127.0.0.1:${port}/`)).toMatchObject({ status: null, error: 'only port 443 is allowed' });
    expect(await send('https://127.0.0.1/')).toMatchObject({ status: null, error: 'address not allowed' });
    expect(await send('https://rebound.example/')).toMatchObject({ status: null, error: noPublicAddress });
    expect(visits).toBe(0);
  });
});
