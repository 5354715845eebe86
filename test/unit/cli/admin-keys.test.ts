import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAdminKey, listAdminKeys, revokeAdminKey } from '../../../src/cli/commands/admin-keys.js';
import { parseTimeSpan } from '../../../src/cli/time-span.js';
import type { ApiKeyObject, NewApiKeyObject } from '../../../src/contract/api-key-object.js';
import { keyIdOf } from '../../../src/domain/api-key.js';
import { plainScopes } from '../../../src/domain/scopes.js';
import { fakeWorld } from '../../support/fake-world.js';

let out = '';
let err = '';
beforeEach(() => {
  out = err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const ci = { tenant: 'acme', name: 'ci', scope: ['all'], expires: '30d', json: false };

test('the key stands alone on standard output; the rest goes to standard error', async () => {
  await createAdminKey(fakeWorld(), ci);
  expect(keyIdOf(out.trimEnd())).toBe('key_00000001');
  expect(err).toContain('key_00000001');
  expect(err).not.toContain(out.trimEnd());
});

test('all is all but admin; a span is counted from now', async () => {
  await createAdminKey(fakeWorld(), { ...ci, json: true });
  const key = JSON.parse(out) as NewApiKeyObject;
  expect(key.scopes).toEqual(plainScopes);
  expect(key.expires_at).toBe(key.created_at + 30 * 24 * 3600);
});

test('the list goes through all pages and tells the state of each key', async () => {
  const world = fakeWorld();
  for (let n = 0; n < 102; n++) {
    await createAdminKey(world, { ...ci, expires: n === 0 ? '60s' : null, json: true });
    await world.clock.advance(1000);
  }
  const { id } = JSON.parse(out.split('\n')[1] ?? '') as NewApiKeyObject;
  await revokeAdminKey(world, id, { json: false });
  out = '';
  await listAdminKeys(world, { tenant: 'acme', json: true });
  expect((JSON.parse(out) as ApiKeyObject[]).length).toBe(102);
  out = '';
  await listAdminKeys(world, { tenant: 'acme', json: false });
  const lines = out.trimEnd().split('\n');
  expect(lines.slice(-3).map((line) => line.split(/ +/)[1])).toEqual(['works', 'revoked', 'expired']);
});

test('what is wrong is named by its option', async () => {
  const world = fakeWorld();
  await expect(createAdminKey(world, { ...ci, tenant: 'A B' })).rejects.toMatchObject({ param: '--tenant' });
  await expect(createAdminKey(world, { ...ci, expires: '5y' })).rejects.toMatchObject({ param: '--expires' });
  await expect(createAdminKey(world, { ...ci, scope: [] })).rejects.toMatchObject({ param: 'scopes' });
  await expect(revokeAdminKey(world, 'key_1', { json: false })).rejects.toMatchObject({ code: 'not_found' });
  expect(world.store.keys()).toEqual([]);
});

test.each([
  ['90s', 90],
  ['15m', 900],
  ['12h', 43_200],
  ['30d', 2_592_000],
])('%s is %d seconds', (text, seconds) => {
  expect(parseTimeSpan(text, '--expires')).toBe(seconds);
});
