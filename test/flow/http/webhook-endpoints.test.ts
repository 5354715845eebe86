import { describe, expect, test } from 'vitest';
import { createKey } from '../../../src/app/keys/create-key.js';
import { loadEndpoint } from '../../../src/app/webhooks/endpoint-revisions.js';
import { publishEvent } from '../../../src/app/webhooks/publish-event.js';
import { sampleEvent } from '../../../src/app/webhooks/sample-event.js';
import { AesSealer } from '../../../src/adapters/aes-sealer/aes-sealer.js';
import type {
  NewWebhookEndpointObject,
  WebhookDeliveryObject,
  WebhookEndpointObject,
} from '../../../src/contract/webhook-endpoint-object.js';
import { bounds } from '../../../src/domain/bounds.js';
import { errorCode } from '../../../src/domain/errors.js';
import { keys } from '../../../src/domain/object-keys.js';
import { eventually } from '../../support/eventually.js';
import { makeEndpoint } from '../../support/webhook-calls.js';
import { keyB, tenantA } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

const path = '/v1/webhook_endpoints';
const url = 'https://example.com/hook';

const send = (server: Listening, at: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
  server.call(at, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json', ...headers },
  });
const make = async (server: Listening, body: unknown = { url }): Promise<NewWebhookEndpointObject> =>
  (await (await send(server, path, body)).json()) as NewWebhookEndpointObject;
const read = async <T>(response: Promise<Response>): Promise<T> => (await (await response).json()) as T;

describe('an endpoint', () => {
  test('is made with defaults; its secret is shown once and lies nowhere in the clear', async () => {
    const server = await listening();
    const response = await send(server, path, { url, description: 'our queue' });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { secret, ...shown } = (await response.json()) as NewWebhookEndpointObject;
    expect(Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).toHaveLength(32);
    expect(shown).toEqual({
      id: expect.stringMatching(/^we_/),
      object: 'webhook_endpoint',
      url,
      description: 'our queue',
      events: ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'],
      enabled: true,
      disabled_reason: null,
      previous_secret_expires_at: null,
      created_at: expect.any(Number),
      updated_at: shown.created_at,
    });
    expect(await read(server.call(`${path}/${shown.id}`))).toEqual(shown);
    expect(await read(server.call(path))).toMatchObject({ object: 'list', data: [shown], has_more: false });
    const { store, log } = server.world;
    for (const key of store.keys()) expect(store.text(key), key).not.toContain(secret.slice(6));
    expect(JSON.stringify(log.entries)).not.toContain(secret.slice(6));
  });

  test('is changed in the named fields only, and deleted for good', async () => {
    const server = await listening();
    const { id } = await make(server);
    const at = `${path}/${id}`;
    expect(await read(send(server, at, { events: ['batch.failed', 'inbox.rejected'] }))).toMatchObject({
      url,
      events: ['batch.failed', 'inbox.rejected'],
      enabled: true,
    });
    expect(await read(send(server, at, { enabled: false, url: `${url}/2`, description: 'x' }))).toMatchObject({
      url: `${url}/2`,
      events: ['batch.failed', 'inbox.rejected'],
      enabled: false,
      disabled_reason: 'request',
      description: 'x',
    });
    expect(await read(send(server, at, { enabled: true, description: null }))).toMatchObject({
      enabled: true,
      disabled_reason: null,
      description: null,
    });
    expect(await read(server.call(at, { method: 'DELETE' }))).toEqual({
      id,
      object: 'webhook_endpoint',
      deleted: true,
    });
    for (const method of ['GET', 'DELETE']) expect((await server.call(at, { method })).status).toBe(404);
    expect(await read(server.call(path))).toMatchObject({ data: [] });
    const kept = server.world.store.keys().filter((key) => key.includes(id));
    expect(kept.map((key) => JSON.parse(server.world.store.text(key) ?? '') as object)).toEqual([
      { v: 1, id, revision: 5, deletedMs: expect.any(Number) },
    ]);
  });

  test('gets a new secret, with or without a body, and shows until when the old one signs', async () => {
    const server = await listening();
    const first = await make(server);
    const at = `${path}/${first.id}/rotate_secret`;
    const second = await read<NewWebhookEndpointObject>(send(server, at));
    expect(second.secret).not.toBe(first.secret);
    expect(second.previous_secret_expires_at).toBe(first.created_at + 24 * 3600);
    const third = await read<NewWebhookEndpointObject>(send(server, at, { previous_expires_after: 0 }));
    expect(third.previous_secret_expires_at).toBeNull();
    expect((await loadEndpoint(server.world.store, tenantA, first.id)).secrets).toHaveLength(1);
    expect(await errorOf(await send(server, at, { previous_expires_after: -1 }))).toMatchObject({
      param: 'previous_expires_after',
    });
  });

  test("a client's automatic retry gets the endpoint of its first attempt; two deliberate ones stay two", async () => {
    const server = await listening();
    const first = await make(server);
    const again = await read(send(server, path, { url }, { 'x-stainless-retry-count': '1' }));
    expect(again).toEqual(first);
    const second = await make(server);
    expect(second.id).not.toBe(first.id);
    expect(await read(server.call(path))).toMatchObject({ data: [{ id: second.id }, { id: first.id }] });
  });

  test('pages follow each other, newest first', async () => {
    const server = await listening();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift((await make(server, { url: `${url}/${n}` })).id);
    const seen: string[] = [];
    for (let after = ''; ;) {
      const page = await read<{ data: WebhookEndpointObject[]; has_more: boolean; last_id: string }>(
        server.call(`${path}?limit=2${after}`),
      );
      seen.push(...page.data.map(({ id }) => id));
      if (!page.has_more) break;
      after = `&after=${page.last_id}`;
    }
    expect(seen).toEqual(ids);
    expect(await errorOf(await server.call(`${path}?after=we_unknown`))).toMatchObject({ param: 'after' });
  });

  test('there is a bound on how many a tenant has; deleted ones do not count', async () => {
    const server = await listening();
    for (let n = 1; n < bounds.webhookEndpointsMax; n++) await make(server);
    const { id } = await make(server);
    expect((await errorOf(await send(server, path, { url }))).message).toContain('at most 50 are allowed');
    await server.call(`${path}/${id}`, { method: 'DELETE' });
    expect((await send(server, path, { url })).status).toBe(200);
  });
});

test.each([
  ['no URL', {}, 'url', ''],
  ['no URL at all', { url: 'example.com' }, 'url', 'an http(s) URL'],
  ['a URL that is not allowed', { url: 'https://private.example.com/' }, 'url', 'address not allowed'],
  ['an unknown event', { url, events: ['batch.done'] }, 'events[0]', 'batch.completed, batch.failed, batch.expired'],
  ['no event', { url, events: [] }, 'events', 'valid events are'],
  ['an event twice', { url, events: ['batch.failed', 'batch.failed'] }, 'events', 'once'],
  ['a description with a line break', { url, description: 'a\nb' }, 'description', 'control characters'],
  ['a secret of its own', { url, secret: 'whsec_x' }, 'secret', ''],
])('%s is refused by name', async (_what, body, param, message) => {
  const server = await listening();
  const response = await send(server, path, body);
  expect(response.status).toBe(400);
  const error = await errorOf(response);
  expect(error).toMatchObject({ param });
  expect(error.message).toContain(message);
  expect(server.world.store.keys()).toEqual([]);
  const { id } = await make(server);
  if (Object.keys(body).length > 0)
    expect(await errorOf(await send(server, `${path}/${id}`, body))).toMatchObject({ param });
});

test('without a sealing key endpoints are not offered', async () => {
  const server = await listening({}, undefined, { sealer: new AesSealer([]) });
  const error = await errorOf(await send(server, path, { url }));
  expect(error).toMatchObject({ code: 'unsupported_value', message: expect.stringContaining('EYRIE_SEALING_KEYS') });
});

test('another tenant sees, changes and sends nothing of it', async () => {
  const server = await listening();
  const { id } = await make(server);
  const event = await publishEvent(server.world, {
    tenant: tenantA,
    event: sampleEvent('evt_1', 'batch.completed', 0),
    createdMs: 0,
    batchId: null,
    receivers: [{ kind: 'endpoint', id }],
    retry: 'schedule',
  });
  const before = server.world.store.keys().map((key) => [key, server.world.store.text(key)]);
  const headers = { authorization: `Bearer ${keyB}` };
  for (const [method, at] of [
    ['GET', ''],
    ['POST', ''],
    ['DELETE', ''],
    ['POST', '/rotate_secret'],
    ['POST', '/test'],
    ['GET', '/deliveries'],
    ['GET', `/deliveries/${event?.id}`],
    ['POST', `/deliveries/${event?.id}/replay`],
  ] as const) {
    const init = { method, headers: { ...headers, 'content-type': 'application/json' } };
    const body = method === 'POST' ? { body: '{}' } : {};
    const response = await server.call(`${path}/${id}${at}`, { ...init, ...body });
    expect(response.status, `${method} ${at}`).toBe(404);
  }
  expect(await read(server.call(path, { headers }))).toMatchObject({ data: [] });
  expect(server.world.store.keys().map((key) => [key, server.world.store.text(key)])).toEqual(before);
});

test('reading needs webhooks:read, everything else webhooks:write', async () => {
  const server = await listening();
  const { id } = await make(server);
  const reader = await createKey(server.world, tenantA, { name: 'r', scopes: ['webhooks:read'] });
  const headers = { authorization: `Bearer ${reader.key}` };
  expect((await server.call(path, { headers })).status).toBe(200);
  expect((await server.call(`${path}/${id}/deliveries`, { headers })).status).toBe(200);
  for (const at of ['', `/${id}`, `/${id}/rotate_secret`, `/${id}/test`, `/${id}/deliveries/evt_1/replay`]) {
    const response = await send(server, path + at, {}, headers);
    expect(response.status, at).toBe(403);
    expect((await errorOf(response)).message).toContain("'webhooks:write'");
  }
});

test('an unknown endpoint, event or cursor is told apart from an empty log', async () => {
  const server = await listening();
  const { id } = await make(server);
  expect(await read(server.call(`${path}/${id}/deliveries`))).toEqual({
    object: 'list',
    data: [],
    first_id: null,
    last_id: null,
    has_more: false,
  });
  expect((await server.call(`${path}/we_unknown/deliveries`)).status).toBe(404);
  expect((await server.call(`${path}/../deliveries`)).status).toBe(404);
  expect((await server.call(`${path}/${id}/deliveries/evt_unknown`)).status).toBe(404);
  expect(await errorOf(await server.call(`${path}/${id}/deliveries?after=evt_1`))).toMatchObject({ param: 'after' });
});

test('a delivery is shown with the body it sends', async () => {
  const server = await listening();
  const { id } = await make(server);
  const sample = sampleEvent('evt_1', 'batch.failed', 0);
  await publishEvent(server.world, {
    tenant: tenantA,
    event: sample,
    createdMs: 0,
    batchId: null,
    receivers: [{ kind: 'endpoint', id }],
    retry: 'schedule',
  });
  const { body, ...delivery } = await read<WebhookDeliveryObject & { body: string }>(
    server.call(`${path}/${id}/deliveries/evt_1`),
  );
  expect(JSON.parse(body)).toEqual(sample);
  expect(await read(server.call(`${path}/${id}/deliveries`))).toMatchObject({ data: [delivery] });
});

describe('limits hold under parallel calls', () => {
  /** What the calls give while the clock runs. */
  async function together<T>({ world }: Listening, calls: readonly Promise<T>[]): Promise<T[]> {
    let done = false;
    const all = Promise.all(calls).finally(() => (done = true));
    await eventually('all calls to be answered', async () => {
      await world.clock.advance(20);
      return done;
    });
    return all;
  }
  /** Between a count and the write behind it, others come in. */
  const slowWrites = ({ operation }: { readonly operation: string }) =>
    operation === 'create' ? { delayMs: 20 } : undefined;

  test('of 60 creations at once as many succeed as there are places', async () => {
    const server = await listening();
    server.world.store.fault = slowWrites;
    const calls = Array.from({ length: 60 }, async () => (await send(server, path, { url })).status);
    const statuses = await together(server, calls);
    expect(statuses.filter((status) => status === 200)).toHaveLength(bounds.webhookEndpointsMax);
    expect(statuses.filter((status) => status === 400)).toHaveLength(60 - bounds.webhookEndpointsMax);
    expect(await read<{ data: unknown[] }>(server.call(`${path}?limit=100`))).toMatchObject({
      data: { length: bounds.webhookEndpointsMax },
    });
    expect(server.world.refusals.counts().get('webhookEndpointsMax')).toBe(60 - bounds.webhookEndpointsMax);
  });

  test('one that another process has made meanwhile counts as well', async () => {
    const server = await listening();
    for (let n = 1; n < bounds.webhookEndpointsMax; n++) await make(server);
    const { world } = server;
    world.store.fault = slowWrites;
    // Each takes turns with itself alone, as processes do.
    const outcomes = [1, 2].map(() =>
      makeEndpoint(world, tenantA).then(
        () => 'made',
        (error: unknown) => errorCode(error),
      ),
    );
    expect(await together(server, outcomes)).toContain('invalid_value');
    const { data } = await read<{ data: unknown[] }>(server.call(`${path}?limit=100`));
    expect(data.length).toBeLessThanOrEqual(bounds.webhookEndpointsMax);
  });

  test('creating and deleting again and again ends at a bound, which an hour lifts', async () => {
    const server = await listening();
    const { id } = await make(server);
    const { store, clock } = server.world;
    for (let n = 0; n < bounds.webhookTombstonesMax; n++) {
      const gone = `we_1${String(n).padStart(25, '0')}`;
      const tombstone = { v: 1, id: gone, revision: 2, deletedMs: clock.now() };
      await store.put(keys.webhookEndpointRevision(tenantA, gone, 2), Buffer.from(JSON.stringify(tombstone)));
    }
    const refused = await send(server, path, { url });
    expect(refused.status).toBe(429);
    expect((await errorOf(refused)).message).toContain('within the last hour');
    await clock.advance(bounds.webhookTombstoneMs + 1000);
    expect((await send(server, path, { url })).status).toBe(200);
    expect(store.keys().filter((key) => key.includes('we_1000')).length, 'tombstones').toBe(0);
    expect((await server.call(`${path}/${id}`)).status).toBe(200);
  });

  test('updates of one endpoint at once all succeed up to the bound, without a storm of tries', async () => {
    const server = await listening();
    const { id } = await make(server);
    server.world.store.calls.length = 0;
    const waiting = bounds.webhookChangesWaitingPerTenant;
    const responses = await Promise.all(
      Array.from({ length: waiting }, (_, n) => send(server, `${path}/${id}`, { description: String(n) })),
    );
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(server.world.store.calls.length).toBeLessThan(waiting * 12);
  });

  test('test events wait in the bound of their tenant, and those above the bound are refused', async () => {
    const server = await listening();
    const { id } = await make(server);
    const most = bounds.webhookTestsPerTenant + bounds.webhookTestsWaitingPerTenant;
    const tests = Array.from({ length: most + 10 }, () => send(server, `${path}/${id}/test`));
    let refused = 0;
    for (const response of tests)
      void response.then(({ status }) => {
        if (status === 429) refused++;
      });
    await eventually('what is above the bound to be refused', () => refused === 10);
    server.world.store.calls.length = 0;
    for (let n = 0; n < 50; n++) await server.world.clock.advance(bounds.webhookTestWaitMs / 5);
    const statuses = (await Promise.all(tests)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(most);
    // Some 15 looks in 20 s, each a read of the delivery: before, 200.
    const looks = server.world.store.calls.filter(
      ({ operation, key }) => operation === 'get' && key.includes('/deliveries/'),
    );
    expect(looks.length).toBeLessThan(most * 25);
    expect(server.world.refusals.counts().get('webhookTestsWaitingPerTenant')).toBe(10);
  });
});
