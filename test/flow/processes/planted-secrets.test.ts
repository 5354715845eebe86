import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { Client } from '../../support/programs/client.js';
import {
  idSecret,
  keyOf,
  modelId,
  pepper,
  programNames,
  sealingKey,
  Service,
  signingSecretOf,
} from '../../support/programs/service.js';

// What users and operators keep secret, planted in everything that the service takes: it must be in no log, in no key of Redis and
// in nothing that Redis writes to disk.
const tenant = 'planted-tenant';
const marker = (name: string): string => `planted-${name}-e1f7a0`;
const markers = [
  'prompt',
  'chat',
  'stream',
  'stop',
  'line',
  'inline',
  'metadata',
  'user',
  'comment',
  'description',
  'regex',
  'unknown-key',
  'body',
].map(marker);
const testMs = 180_000;

let service: Service;
let receiver: Server;
let endpointSecret = '';
let batchId = '';
let answer = '';
const events: string[] = [];

beforeAll(async () => {
  service = await Service.start({ store: 'folder', tenants: [{ tenant }], environment: { EYRIE_LOG_LEVEL: 'debug' } });
  receiver = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      events.push(text);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve);
  });
  await useEverything();
}, testMs);
afterAll(async () => {
  receiver?.close();
  await service?.stop();
});

async function useEverything(): Promise<void> {
  const client = new Client({ url: service.url, key: keyOf(tenant) });
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const endpoint = await client.json<{ secret: string }>('POST', '/v1/webhook_endpoints', {
    url,
    description: marker('description'),
  });
  endpointSecret = endpoint.secret;
  const completion = await client.json<{ choices: { text: string }[] }>('POST', '/v1/completions', {
    model: modelId,
    prompt: `${marker('prompt')} What is 12 plus 30?`,
    max_tokens: 40,
    ignore_eos: true,
    stop: [marker('stop')],
    user: marker('user'),
  });
  answer = completion.choices[0]?.text ?? '';
  const messages = (text: string): object[] => [{ role: 'user', content: text }];
  await client.json('POST', '/v1/chat/completions', {
    model: modelId,
    messages: messages(marker('chat')),
    max_tokens: 4,
  });
  const streamed = { model: modelId, messages: messages(marker('stream')), max_tokens: 20, stream: true };
  for await (const _ of client.events('/v1/chat/completions', streamed));
  const regex = `${marker('regex')}[0-9]`;
  await client.call('POST', '/v1/completions', { model: modelId, prompt: 'a', max_tokens: 4, guided_regex: regex });
  // Refusals say what was wrong with what was sent; the log must not.
  await client.call('POST', '/v1/completions', { model: modelId, prompt: marker('body'), temperature: 99 });
  await client.call('POST', '/v1/completions', `{"prompt":"${marker('body')}`);
  await new Client({ url: service.url, key: marker('unknown-key') }).call('GET', '/v1/models');

  const line = { custom_id: 'a', method: 'POST', url: '/v1/completions' };
  const file = await client.upload(
    `${JSON.stringify({ ...line, body: { model: modelId, prompt: marker('line'), max_tokens: 2 } })}\n${marker('line')}\n`,
  );
  const created = [
    {
      input_file_id: file,
      endpoint: '/v1/completions',
      completion_window: '24h',
      metadata: { note: marker('metadata') },
    },
    {
      endpoint: '/v1/completions',
      completion_window: '24h',
      eyrie: { requests: [{ custom_id: 'b', body: { model: modelId, prompt: marker('inline'), max_tokens: 2 } }] },
    },
  ];
  for (const body of created) {
    const { id } = await client.json<{ id: string }>('POST', '/v1/batches', body);
    batchId = id;
    await eventually(`the end of ${id}`, async () => {
      const { status } = await client.json<{ status: string }>('GET', `/v1/batches/${id}`);
      return ['completed', 'failed'].includes(status);
    });
  }
  await client.json('POST', '/v1/reports', { batch_id: batchId, line: 1, reason: 'false', comment: marker('comment') });
  await eventually('the webhooks', () => events.length >= 2);
  client.close();
}

/** What must be nowhere, by a name that a failure may show. */
const secrets = (): [string, string][] => [
  ...markers.map((text): [string, string] => [text, text]),
  ['the key', keyOf(tenant)],
  ['the pepper', pepper],
  ['the id secret', idSecret],
  ['the sealing key', sealingKey],
  ['the signing secret', signingSecretOf(tenant)],
  ["the endpoint's secret", endpointSecret],
  ['an answer', answer.length > 20 ? answer : ''],
];

const foundIn = (text: string): string[] =>
  secrets().flatMap(([name, secret]) => (secret !== '' && text.includes(secret) ? [name] : []));

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  const files: string[] = [];
  for (const entry of entries)
    if ((await stat(path.join(folder, entry))).isFile()) files.push(path.join(folder, entry));
  return files;
}

test('the logs hold none of it', () => {
  for (const name of programNames) {
    const log = service.log(name);
    expect(log.length).toBeGreaterThan(100);
    expect({ name, found: foundIn(log) }).toEqual({ name, found: [] });
  }
  expect(service.log('control'), 'ids are there to look things up by').toContain(batchId);
});

/** All that a key holds, as text. */
async function valueOf(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  if (type === 'string') return (await redis.get(key)) ?? '';
  if (type === 'hash') return JSON.stringify(await redis.hgetall(key));
  if (type === 'list') return JSON.stringify(await redis.lrange(key, 0, -1));
  if (type === 'set') return JSON.stringify(await redis.smembers(key));
  if (type === 'zset') return JSON.stringify(await redis.zrange(key, 0, -1, 'WITHSCORES'));
  if (type === 'stream') return JSON.stringify(await redis.xrange(key, '-', '+'));
  return '';
}

test('no key of Redis, and nothing that Redis wrote to disk, holds any of it', async () => {
  const redis = new Redis(service.redisUrl);
  try {
    const all = await redis.keys('*');
    expect(all.length).toBeGreaterThan(5);
    for (const key of all) {
      const found = foundIn(`${key} ${await valueOf(redis, key)}`);
      expect({ key, found }).toEqual({ key, found: [] });
    }
  } finally {
    redis.disconnect();
  }
  // Whatever was ever written is in here, also what has been deleted since.
  const files = await filesBelow(path.join(service.folder, 'redis'));
  const appended = files.filter((file) => file.endsWith('.aof'));
  expect(appended.length).toBeGreaterThan(0);
  expect((await Promise.all(appended.map((file) => readFile(file, 'latin1')))).join('')).toContain(batchId);
  for (const file of files) {
    const found = foundIn(await readFile(file, 'latin1'));
    expect({ file, found }).toEqual({ file, found: [] });
  }
});

test("the store holds neither keys nor the endpoint's secret", async () => {
  const never = [
    'the key',
    'the pepper',
    'the id secret',
    'the sealing key',
    'the signing secret',
    "the endpoint's secret",
  ];
  for (const file of await filesBelow(service.storeFolder ?? '')) {
    const found = foundIn(await readFile(file, 'latin1')).filter((name) => never.includes(name));
    expect({ file, found }).toEqual({ file, found: [] });
  }
});

/** Addresses that a port of this machine is listened on, as the kernel writes them. */
async function listenersOf(port: number): Promise<string[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  );
  return tables
    .join('\n')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === '0A' && parseInt(local.split(':')[1] ?? '', 16) === port)
    .map(([, local = '']) => local.split(':')[0] ?? '');
}

test('operator ports are on loopback and name no tenant, id or text; the API has no metrics', async () => {
  for (const { name, operatorUrl } of service.programs) {
    const metrics = await (await fetch(`${operatorUrl}/metrics`)).text();
    expect(metrics).toContain('nodejs_eventloop_lag_p99_seconds');
    expect({ name, found: foundIn(metrics) }).toEqual({ name, found: [] });
    expect(metrics).not.toContain(tenant);
    expect(metrics).not.toMatch(/\b(batch|file|upload|we|evt|report|key|req)_[0-9a-z]{12,}|file-[0-9a-z]{12,}/);
    expect(await listenersOf(Number(new URL(operatorUrl).port)), name).toEqual(['0100007F']);
  }
  const { status } = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${keyOf(tenant)}` } });
  expect(status).toBe(404);
});
