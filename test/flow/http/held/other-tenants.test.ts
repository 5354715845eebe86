import { toFile } from 'openai';
import { beforeEach, describe, expect, test } from 'vitest';
import { createKey } from '../../../../src/app/keys/create-key.js';
import { publishEvent } from '../../../../src/app/webhooks/publish-event.js';
import { sampleEvent } from '../../../../src/app/webhooks/sample-event.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { scopes } from '../../../../src/domain/scopes.js';
import { ByteTokenizer } from '../../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../../support/fake-grammars.js';
import { endBatch, keyA, keyB, putJson, tenantA, tenantB, type FakeWorld } from '../fake-world.js';
import { listening, type Listening } from '../listening.js';

// Tenant B tries every route with the ids of tenant A. What it gets must be what it gets for an id that nobody has, and nothing
// of tenant A may change. A route without a row here fails the first test.

/** Text that only tenant A's things have. */
const marker = 'sesame-of-tenant-a';

/** Ids of tenant A's things, by the name that the routes' paths give them; others for what stands in bodies. */
type Ids = Readonly<
  Record<
    | 'batch_id'
    | 'file_id'
    | 'upload_id'
    | 'part_id'
    | 'endpoint_id'
    | 'event_id'
    | 'report_id'
    | 'key_id'
    | 'output_id',
    string
  >
>;

/** Ids of the same forms that nobody has. */
const nobodys = (ids: Ids): Ids =>
  Object.fromEntries(
    Object.entries(ids).map(([name, id]) => [name, id.replace(/[0-9a-z]+$/, (end) => 'z'.repeat(end.length))]),
  ) as Ids;

interface Attempt {
  readonly path: string;
  readonly body?: object;
  /** A form instead of a JSON body. */
  readonly form?: true;
  readonly headers?: Readonly<Record<string, string>>;
}

/** 'public' and 'own': the route takes no id and shows nothing, or only what its caller sends. */
type Row = 'public' | 'own' | ((ids: Ids) => readonly Attempt[]);

const at =
  (path: string, ...bodies: readonly object[]) =>
  (ids: Ids): Attempt[] => {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name as keyof Ids]);
    return bodies.length === 0 ? [{ path: filled }] : bodies.map((body) => ({ path: filled, body }));
  };

/** With the query, if any, behind each cursor. */
const list = (path: string, ...names: readonly (keyof Ids)[]) => {
  return (ids: Ids): Attempt[] => names.map((name) => ({ path: `${path}?after=${ids[name]}` }));
};

const create = (ids: Ids, more: object = {}): Attempt => ({
  path: '/v1/batches',
  body: { input_file_id: ids.file_id, endpoint: '/v1/completions', completion_window: '24h', ...more },
});

const table: Readonly<Record<string, Row>> = {
  'GET /health': 'public',
  'GET /ready': 'public',
  'GET /docs': 'public',
  'GET /openapi.json': 'public',
  'GET /v1/models': 'own',
  'GET /v1/models/{model}': 'own',
  'GET /tokenizer_info': 'own',
  'POST /tokenize': 'own',
  'POST /detokenize': 'own',
  'POST /v1/completions': 'own',
  'POST /v1/chat/completions': 'own',

  'POST /v1/files': 'own',
  'GET /v1/files': list('/v1/files', 'file_id', 'output_id'),
  'GET /v1/files/{file_id}': (ids) => [at('/v1/files/{file_id}')(ids), at('/v1/files/{output_id}')(ids)].flat(),
  'DELETE /v1/files/{file_id}': (ids) => [at('/v1/files/{file_id}')(ids), at('/v1/files/{output_id}')(ids)].flat(),
  'GET /v1/files/{file_id}/content': (ids) => [
    ...at('/v1/files/{file_id}/content')(ids),
    ...at('/v1/files/{output_id}/content')(ids),
    { path: `/v1/files/${ids.file_id}/content`, headers: { range: 'bytes=0-3' } },
  ],

  'POST /v1/batches': (ids) => [
    create(ids),
    create(ids, { eyrie: { dry_run: true } }),
    // Tenant A has used this key for this file; another body under a key is refused.
    { ...create(ids), headers: { 'idempotency-key': ids.file_id.endsWith('z') ? 'key-of-nobody' : 'key-of-a' } },
    create({ ...ids, file_id: ids.output_id }),
  ],
  'GET /v1/batches': list('/v1/batches', 'batch_id'),
  'GET /v1/batches/{batch_id}': at('/v1/batches/{batch_id}'),
  'DELETE /v1/batches/{batch_id}': at('/v1/batches/{batch_id}'),
  'POST /v1/batches/{batch_id}/cancel': at('/v1/batches/{batch_id}/cancel'),
  'POST /v1/batches/{batch_id}/retry_failed': at('/v1/batches/{batch_id}/retry_failed', {}, { include: 'all' }),
  'GET /v1/batches/{batch_id}/results': (ids) => [
    ...at('/v1/batches/{batch_id}/results')(ids),
    ...at('/v1/batches/{batch_id}/results?merge=true')(ids),
  ],
  'GET /v1/batches/{batch_id}/deliveries': at('/v1/batches/{batch_id}/deliveries'),

  'POST /v1/uploads': 'own',
  'POST /v1/uploads/{upload_id}/parts': (ids) => [{ path: `/v1/uploads/${ids.upload_id}/parts`, form: true }],
  'POST /v1/uploads/{upload_id}/complete': (ids) =>
    at('/v1/uploads/{upload_id}/complete', { part_ids: [ids.part_id] })(ids),
  'POST /v1/uploads/{upload_id}/cancel': at('/v1/uploads/{upload_id}/cancel'),

  'POST /v1/webhook_endpoints': 'own',
  'GET /v1/webhook_endpoints': list('/v1/webhook_endpoints', 'endpoint_id'),
  'GET /v1/webhook_endpoints/{endpoint_id}': at('/v1/webhook_endpoints/{endpoint_id}'),
  'POST /v1/webhook_endpoints/{endpoint_id}': at(
    '/v1/webhook_endpoints/{endpoint_id}',
    {},
    { url: 'https://example.org/' },
    { enabled: false },
  ),
  'DELETE /v1/webhook_endpoints/{endpoint_id}': at('/v1/webhook_endpoints/{endpoint_id}'),
  'POST /v1/webhook_endpoints/{endpoint_id}/rotate_secret': at('/v1/webhook_endpoints/{endpoint_id}/rotate_secret', {}),
  'POST /v1/webhook_endpoints/{endpoint_id}/test': at('/v1/webhook_endpoints/{endpoint_id}/test', {}),
  'GET /v1/webhook_endpoints/{endpoint_id}/deliveries': (ids) => [
    ...at('/v1/webhook_endpoints/{endpoint_id}/deliveries')(ids),
    { path: `/v1/webhook_endpoints/${ids.endpoint_id}/deliveries?after=${ids.event_id}` },
  ],
  'GET /v1/webhook_endpoints/{endpoint_id}/deliveries/{event_id}': at(
    '/v1/webhook_endpoints/{endpoint_id}/deliveries/{event_id}',
  ),
  'POST /v1/webhook_endpoints/{endpoint_id}/deliveries/{event_id}/replay': at(
    '/v1/webhook_endpoints/{endpoint_id}/deliveries/{event_id}/replay',
  ),

  'POST /v1/reports': (ids) => [
    { path: '/v1/reports', body: { batch_id: ids.batch_id, line: 1, reason: 'false' } },
    { path: '/v1/reports', body: { batch_id: ids.batch_id, custom_id: 'a', reason: 'false' } },
  ],
  'GET /v1/reports': list('/v1/reports', 'report_id'),
  'GET /v1/reports/{report_id}': at('/v1/reports/{report_id}'),
  'DELETE /v1/reports/{report_id}': at('/v1/reports/{report_id}'),

  'POST /v1/admin/keys': 'own',
  'GET /v1/admin/keys': list('/v1/admin/keys', 'key_id'),
  'DELETE /v1/admin/keys/{key_id}': at('/v1/admin/keys/{key_id}'),
};

let server: Listening;
let ids: Ids;
let operations: readonly string[];

beforeEach(async () => {
  server = await listening({
    tokenizer: new ByteTokenizer(),
    grammars: new FakeGrammars(),
    configuredKeysAdmin: true,
  });
  ids = await thingsOf(server);
  const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
});

/** One thing of each kind for tenant A, each with the marker in it. */
async function thingsOf({ client, world }: Listening): Promise<Ids> {
  const file = await client.files.create({
    file: await toFile(Buffer.from(`${marker}\n`), `${marker}.jsonl`),
    purpose: 'batch',
  });
  const batch = await client.batches.create(
    { input_file_id: file.id, endpoint: '/v1/completions', completion_window: '24h', metadata: { marker } },
    { idempotencyKey: 'key-of-a', headers: { 'Idempotency-Key': 'key-of-a' } },
  );
  const output = await world.store.create(keys.fileContent(tenantA, 'file-output'), Buffer.from(marker));
  if (!output.created) throw new Error('The output exists.');
  const endpoint = await client.post<{ id: string }>('/webhook_endpoints', {
    body: { url: `https://example.com/${marker}`, description: marker },
  });
  const event = await publishEvent(world, {
    tenant: tenantA,
    event: sampleEvent('evt_01', 'batch.completed', 0),
    createdMs: 0,
    batchId: batch.id,
    receivers: [{ kind: 'endpoint', id: endpoint.id }],
    retry: 'schedule',
  });
  await putJson(world, keys.plan(tenantA, batch.id), {
    v: 1,
    kind: 'work',
    plannedMs: 1,
    endpoint: '/v1/completions',
    model: 'm',
    lines: 1,
    tokens: 2,
    shards: [],
  });
  const report = await client.post<{ id: string }>('/reports', {
    body: { batch_id: batch.id, line: 1, reason: 'false', comment: marker },
  });
  await endBatch(world, batch.id, null);
  const upload = await client.uploads.create({
    bytes: 6,
    filename: `${marker}.jsonl`,
    mime_type: 'text/plain',
    purpose: 'batch',
  });
  const part = await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('sesame'), 'p') });
  const key = await createKey(world, tenantA, { name: marker, scopes: ['files:read'] });
  return {
    batch_id: batch.id,
    file_id: file.id,
    output_id: 'file-output',
    upload_id: upload.id,
    part_id: part.id,
    endpoint_id: endpoint.id,
    event_id: event?.id ?? '',
    report_id: report.id,
    key_id: key.id,
  };
}

/** All that is stored but for what belongs to tenant B. */
const stored = ({ store }: FakeWorld): string[][] =>
  store
    .keys()
    .filter((key) => !key.includes(tenantB))
    .map((key) => [key, store.text(key) ?? '']);

async function send(
  method: string,
  { path, body, form, headers = {} }: Attempt,
  key: string | null,
): Promise<{ status: number; text: string }> {
  const data = new FormData();
  data.set('data', new Blob(['sesame']), 'p');
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(form ? { body: data } : body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, text: await response.text() };
}

/** Without the ids that the caller sent itself, and what differs between any two calls. */
const plain = (text: string, sent: Ids): string => {
  let rest = text;
  for (const [name, id] of Object.entries(sent)) rest = rest.replaceAll(id, name);
  return rest
    .replaceAll(/"(id|request_id)":"(batch|req)_[a-z0-9]+"/g, '"$1":""')
    .replaceAll(/"created_at":\d+/g, '"created_at":0');
};

const attempts = (given: Ids): [string, Attempt][] =>
  operations.flatMap((operation) => {
    const row = table[operation];
    if (typeof row !== 'function') return [];
    return row(given).map((attempt): [string, Attempt] => [operation.split(' ')[0] ?? '', attempt]);
  });

test('each route has a row, and each row a route', () => {
  expect(Object.keys(table).toSorted()).toEqual(operations.toSorted());
  // A route whose path has an id must be tried with one.
  for (const [operation, row] of Object.entries(table))
    if (operation.includes('_id}')) expect(row, operation).toBeTypeOf('function');
});

const spoofed: readonly Readonly<Record<string, string>>[] = [
  {},
  { 'x-tenant': tenantA, 'x-eyrie-tenant': tenantA, tenant: tenantA },
  { 'openai-organization': tenantA, 'openai-project': tenantA },
  { 'x-forwarded-user': tenantA, 'x-forwarded-for': '127.0.0.1', 'x-original-url': '/v1/files' },
  { 'x-api-key': keyA, 'api-key': keyA, cookie: `key=${keyA}` },
];

describe('with the ids of another tenant', () => {
  test.each(spoofed.map((headers) => [headers]))(
    'every route answers as for ids that nobody has; headers %j',
    async (headers) => {
      const before = stored(server.world);
      const unknown = nobodys(ids);
      const expected = attempts(unknown);
      for (const [number, [method, attempt]] of attempts(ids).entries()) {
        const name = `${method} ${attempt.path} ${JSON.stringify(attempt.body ?? '')}`;
        const more = { ...attempt, headers: { ...headers, ...attempt.headers } };
        const answer = await send(method, more, keyB);
        const nobody = await send(method, expected[number]?.[1] ?? attempt, keyB);
        expect(answer.text, name).not.toContain(marker);
        expect({ status: answer.status, text: plain(answer.text, ids) }, name).toEqual({
          status: nobody.status,
          text: plain(nobody.text, unknown),
        });
      }
      expect(stored(server.world)).toEqual(before);
    },
  );

  test('lists of tenant B are empty', async () => {
    for (const path of ['files', 'batches', 'webhook_endpoints', 'reports', 'admin/keys']) {
      const { status, text } = await send('GET', { path: `/v1/${path}` }, keyB);
      expect({ path, status }).toEqual({ path, status: 200 });
      expect(JSON.parse(text)).toMatchObject({ data: [] });
    }
  });

  test('without a key every route answers 401, with a key without scopes 403', async () => {
    const before = stored(server.world);
    const poor = await createKey(server.world, tenantA, { name: 'poor', scopes: [] as never });
    const written = stored(server.world);
    for (const [method, attempt] of attempts(ids)) {
      const name = `${method} ${attempt.path}`;
      const nobody = await send(method, attempt, null);
      expect({ name, status: nobody.status }).toEqual({ name, status: 401 });
      const answer = await send(method, attempt, poor.key);
      expect({ name, status: answer.status }).toEqual({ name, status: 403 });
      expect(nobody.text + answer.text).not.toContain(marker);
    }
    expect(written.length).toBeGreaterThan(before.length);
    expect(stored(server.world).filter(([key]) => !key?.includes('key'))).toEqual(
      written.filter(([key]) => !key?.includes('key')),
    );
  });

  test('paths that climb lead nowhere', async () => {
    const before = stored(server.world);
    const climbs = [
      `../${tenantA}/${ids.file_id}`,
      `..%2f${tenantA}%2f${ids.file_id}`,
      `..%252f..%252ft%252f${tenantA}%252ffiles%252f${ids.file_id}`,
      `%2e%2e%2f%2e%2e%2ft%2f${tenantA}%2ffiles%2f${ids.file_id}`,
      `${ids.file_id}%00`,
      `${ids.file_id}%2f`,
      ids.file_id.toUpperCase(),
      `${ids.file_id};tenant=${tenantA}`,
      `${tenantA}%3a${ids.file_id}`,
    ];
    for (const base of ['/v1/files', '/v1/batches', '/v1/reports', '/v1/webhook_endpoints'])
      for (const climb of climbs)
        for (const method of ['GET', 'DELETE']) {
          const { status, text } = await send(method, { path: `${base}/${climb}` }, keyB);
          expect([400, 404, 405], `${method} ${base}/${climb}: ${status}`).toContain(status);
          expect(text).not.toContain(marker);
        }
    expect(stored(server.world)).toEqual(before);
  });
});

test.each([
  ['a tenant in a batch', '/v1/batches', { tenant: tenantA, endpoint: '/v1/completions', eyrie: { requests: [{}] } }],
  ['a tenant in its eyrie', '/v1/batches', { endpoint: '/v1/completions', eyrie: { tenant: tenantA, requests: [{}] } }],
  [
    'a tenant by its prototype',
    '/v1/batches',
    JSON.parse(`{"__proto__":{"tenant":"${tenantA}"},"tenant":"x"}`) as object,
  ],
  ['a tenant in a key', '/v1/admin/keys', { name: 'x', scopes: ['files:read'], tenant: tenantA }],
  ['a tenant in an endpoint', '/v1/webhook_endpoints', { url: 'https://example.org/', tenant: tenantA }],
  [
    'a tenant in an upload',
    '/v1/uploads',
    { bytes: 1, filename: 'a', mime_type: 'text/plain', purpose: 'batch', tenant: tenantA },
  ],
  ['a tenant in a report', '/v1/reports', { completion_id: 'cmpl-1', reason: 'false', tenant: tenantA }],
])('no body names its tenant: %s', async (_, path, body) => {
  const before = stored(server.world);
  const { status, text } = await send('POST', { path, body }, keyB);
  expect(status).toBe(400);
  expect(text).not.toContain(marker);
  expect(stored(server.world)).toEqual(before);
});

test('a key gives no more scopes than its own tenant has given it', async () => {
  const without = scopes.filter((scope) => scope !== 'admin');
  const { key } = await createKey(server.world, tenantB, { name: 'b', scopes: without });
  const { status } = await send('POST', { path: '/v1/admin/keys', body: { name: 'x', scopes: ['admin'] } }, key);
  expect(status).toBe(403);
});
