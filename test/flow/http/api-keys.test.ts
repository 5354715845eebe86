import { expect, test } from 'vitest';
import { createKey } from '../../../src/app/keys/create-key.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { toApiKey } from '../../../src/domain/api-key.js';
import { bounds } from '../../../src/domain/bounds.js';
import type { ApiKeyObject, NewApiKeyObject } from '../../../src/contract/api-key-object.js';
import { keyB, tenantA } from './fake-world.js';
import { errorOf, listening } from './listening.js';

type Call = (path: string, init?: RequestInit) => Promise<Response>;

const as = (key: string, init: RequestInit = {}): RequestInit => ({
  ...init,
  headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
});
const make = (call: Call, body: unknown, key?: string): Promise<Response> => {
  const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return call('/v1/admin/keys', key === undefined ? init : as(key, init));
};
const made = async (call: Call, body: unknown): Promise<NewApiKeyObject> =>
  (await (await make(call, body)).json()) as NewApiKeyObject;

test('a key is made, shown once, used, listed and revoked', async () => {
  const { call } = await listening({ configuredKeysAdmin: true });
  const response = await make(call, { name: 'ci', scopes: ['files:read'], expires_after: 3600 });
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const { key, ...shown } = (await response.json()) as NewApiKeyObject;
  expect(shown).toMatchObject({ object: 'api_key', name: 'ci', scopes: ['files:read'], last_used_at: null });
  expect(shown.expires_at).toBe(shown.created_at + 3600);
  expect((await call('/v1/files', as(key))).status).toBe(200);
  const list = (await (await call('/v1/admin/keys')).json()) as { data: ApiKeyObject[] };
  expect(list.data).toEqual([{ ...shown, last_used_at: expect.any(Number) }]);
  const revoked = await call(`/v1/admin/keys/${shown.id}`, { method: 'DELETE' });
  expect(await revoked.json()).toMatchObject({ id: shown.id, revoked_at: expect.any(Number) });
  expect((await call('/v1/files', as(key))).status, 'at once').toBe(401);
  expect((await call(`/v1/admin/keys/${shown.id}`, { method: 'DELETE' })).status, 'again').toBe(200);
});

test('a key without the scope is told which one is missing; it never learns of other things', async () => {
  const { call } = await listening({ configuredKeysAdmin: true });
  const { key } = await made(call, { name: 'reader', scopes: ['files:read'] });
  for (const [path, method, scope] of [
    ['/v1/batches', 'GET', 'batches:read'],
    ['/v1/batches/batch_00000001/cancel', 'POST', 'batches:write'],
    ['/v1/files/file-00000001', 'DELETE', 'files:write'],
    ['/v1/admin/keys', 'GET', 'admin'],
  ] as const) {
    const response = await call(path, as(key, { method }));
    expect(response.status, path).toBe(403);
    const body = (await response.json()) as { error: { message: string } };
    expect(body.error).toMatchObject({ type: 'permission_error', code: 'insufficient_scope', param: null });
    expect(body.error.message).toContain(`'${scope}'`);
  }
  expect((await call('/v1/models', as(key))).status, 'any key will do').toBe(200);
});

test('unknown, mistyped, revoked, expired and missing keys get the same answer', async () => {
  const { call, url, world } = await listening({ configuredKeysAdmin: true });
  const revoked = await made(call, { name: 'a', scopes: ['files:read'] });
  await call(`/v1/admin/keys/${revoked.id}`, { method: 'DELETE' });
  const expired = await made(call, { name: 'b', scopes: ['files:read'], expires_after: 60 });
  await world.clock.advance(60_000);
  const good = await made(call, { name: 'c', scopes: ['files:read'] });
  const keys = {
    missing: '',
    foreign: 'sk-something',
    unknown: toApiKey('key_00000999', new Uint8Array(32)),
    mistyped: good.key.slice(0, -1) + (good.key.endsWith('a') ? 'b' : 'a'),
    'wrong secret': toApiKey(good.id, new Uint8Array(32)),
    revoked: revoked.key,
    expired: expired.key,
  };
  const bodies = new Set<string>();
  for (const [what, key] of Object.entries(keys)) {
    const response = await fetch(`${url}/v1/files`, { headers: { authorization: `Bearer ${key}` } });
    expect(response.status, what).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    bodies.add(await response.text());
  }
  expect(bodies.size).toBe(1);
});

test('keys of the configuration make no keys unless the settings say so', async () => {
  const { call } = await listening();
  const response = await make(call, { name: 'ci', scopes: ['files:read'] });
  expect(response.status).toBe(403);
  expect(await errorOf(response)).toMatchObject({ code: 'insufficient_scope' });
});

test('an admin key makes keys of its own tenant only, and sees no others', async () => {
  const { call, world } = await listening();
  const admin = await createKey(world, tenantA, { name: 'admin', scopes: ['admin'] });
  const response = await make(call, { name: 'ci', scopes: ['files:read'] }, admin.key);
  const { id } = (await response.json()) as NewApiKeyObject;
  const foreign = await createKey(world, 'other', { name: 'other admin', scopes: ['admin'] });
  const list = (await (await call('/v1/admin/keys', as(foreign.key))).json()) as { data: ApiKeyObject[] };
  expect(list.data.map(({ name }) => name)).toEqual(['other admin']);
  const revoke = await call(`/v1/admin/keys/${id}`, as(foreign.key, { method: 'DELETE' }));
  expect(revoke.status).toBe(404);
  expect((await call(`/v1/admin/keys?after=${id}`, as(foreign.key))).status).toBe(400);
  expect((await call('/v1/admin/keys', as(keyB))).status).toBe(403);
});

test('a tenant makes no more than so many keys; those that ended are removed after a week', async () => {
  const { call, world } = await listening({ configuredKeysAdmin: true });
  const first = await made(call, { name: 'first', scopes: ['files:read'] });
  const short = await made(call, { name: 'short', scopes: ['files:read'], expires_after: 60 });
  for (let n = 3; n < bounds.keysPerTenant; n++) await createKey(world, tenantA, { name: 'x', scopes: ['files:read'] });
  const another = () => make(call, { name: 'another', scopes: ['files:read'] });
  const answers = await Promise.all([another(), another(), another()]);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
  const refused = await another();
  expect(await errorOf(refused)).toMatchObject({
    code: 'insufficient_quota',
    message: expect.stringContaining(`${bounds.keysPerTenant} API keys`) as string,
  });

  await call(`/v1/admin/keys/${first.id}`, { method: 'DELETE' });
  const objectsOf = ({ id }: { id: string }) => world.store.keys().filter((key) => key.includes(id));
  await world.clock.advance(bounds.keyEndedKeptMs - 1000);
  await sweepRetention(world);
  expect(objectsOf(first)).toContain(`keys/${first.id}/revoked.json`);
  expect((await another()).status).toBe(429);
  await world.clock.advance(62_000);
  await sweepRetention(world);
  expect([...objectsOf(first), ...objectsOf(short)]).toEqual([]);
  expect((await another()).status).toBe(200);
  expect((await another()).status).toBe(200);
  expect((await another()).status).toBe(429);
});

test('pages of keys follow each other, newest first', async () => {
  const { call, world } = await listening({ configuredKeysAdmin: true });
  for (let n = 0; n < 5; n++) {
    await made(call, { name: `key ${n}`, scopes: ['files:read'] });
    await world.clock.advance(1000);
  }
  const names: string[] = [];
  for (let after = ''; ;) {
    const page = (await (await call(`/v1/admin/keys?limit=2${after}`)).json()) as {
      data: ApiKeyObject[];
      has_more: boolean;
      last_id: string;
    };
    names.push(...page.data.map(({ name }) => name));
    if (!page.has_more) break;
    after = `&after=${page.last_id}`;
  }
  expect(names).toEqual(['key 4', 'key 3', 'key 2', 'key 1', 'key 0']);
});

test.each([
  ['no name', { scopes: ['files:read'] }, 'name'],
  ['a name with a line break', { name: 'a\nb', scopes: ['files:read'] }, 'name'],
  ['no scope', { name: 'a', scopes: [] }, 'scopes'],
  ['an unknown scope', { name: 'a', scopes: ['root'] }, 'scopes[0]'],
  ['a scope twice', { name: 'a', scopes: ['admin', 'admin'] }, 'scopes'],
  ['an expiry that has passed', { name: 'a', scopes: ['admin'], expires_after: 0 }, 'expires_after'],
  ['a tenant', { name: 'a', scopes: ['admin'], tenant: 'other' }, 'tenant'],
])('%s is refused by name', async (_what, body, param) => {
  const { call, world } = await listening({ configuredKeysAdmin: true });
  const response = await make(call, body);
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ param });
  expect(world.store.keys()).toEqual([]);
});
