import { expect, test } from 'vitest';
import { createKey, type NewKey } from '../../../src/app/keys/create-key.js';
import { findKey } from '../../../src/app/keys/find-key.js';
import { KeyRing } from '../../../src/app/keys/key-ring.js';
import { revokeKey } from '../../../src/app/keys/revoke-key.js';
import { toApiKey } from '../../../src/domain/api-key.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { plainScopes } from '../../../src/domain/scopes.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';

const make = (world: FakeWorld, change: Partial<NewKey> = {}) =>
  createKey(world, 'acme', { name: 'ci', scopes: ['files:read'], ...change });

const readsOf = (world: FakeWorld): number =>
  world.store.calls.filter(({ operation, key }) => operation === 'get' && key.endsWith('/key.json')).length;

test('a key stands for its tenant and its scopes; the store holds no part of its secret', async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  expect(await new KeyRing(world, plainScopes).find(key)).toEqual({
    tenant: 'acme',
    keyId: id,
    scopes: ['files:read'],
  });
  const secret = key.slice(-58);
  for (const stored of world.store.keys()) {
    expect(stored).not.toContain(secret);
    expect(world.store.text(stored)).not.toContain(secret);
  }
  expect(JSON.stringify(world.log.entries)).not.toContain(secret);
});

test('keys of the configuration stay what they are, with the scopes that they are given', async () => {
  const ring = new KeyRing(fakeWorld(), ['files:read']);
  expect(await ring.find('key')).toEqual({ tenant: 'acme', keyId: null, scopes: ['files:read'] });
  expect(await ring.find('kez')).toBeNull();
});

test('a right id with a wrong secret is refused, and does not spoil the right key', async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  const ring = new KeyRing(world, plainScopes);
  expect(await ring.find(toApiKey(id, new Uint8Array(32).fill(200)))).toBeNull();
  expect(await ring.find(key)).not.toBeNull();
});

test('a revoked key works no longer than the bound, and at once where it was revoked', async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  const [here, there] = [new KeyRing(world, plainScopes), new KeyRing(world, plainScopes)];
  expect(await here.find(key)).not.toBeNull();
  expect(await there.find(key)).not.toBeNull();
  await revokeKey(world, 'acme', id);
  here.forget(id);
  expect(await here.find(key)).toBeNull();
  await world.clock.advance(bounds.keyFreshMs - 1);
  expect(await there.find(key), 'believed until the bound').not.toBeNull();
  await world.clock.advance(1);
  expect(await there.find(key)).toBeNull();
});

test('a key ends at its expiry, to the millisecond', async () => {
  const world = fakeWorld();
  const { key } = await make(world, { expires_after: 60 });
  const ring = new KeyRing(world, plainScopes);
  await world.clock.advance(59_999);
  expect(await ring.find(key)).not.toBeNull();
  await world.clock.advance(1);
  expect(await ring.find(key)).toBeNull();
});

test('hits and misses are looked up once in the bound, and once for calls side by side', async () => {
  const world = fakeWorld();
  const { key } = await make(world);
  const unknown = toApiKey('key_00000099', new Uint8Array(32));
  const ring = new KeyRing(world, plainScopes);
  await Promise.all([ring.find(key), ring.find(key), ring.find(unknown), ring.find(unknown)]);
  await ring.find(key);
  await ring.find(unknown);
  expect(readsOf(world)).toBe(2);
  await world.clock.advance(bounds.keyFreshMs);
  await ring.find(key);
  expect(readsOf(world)).toBe(3);
});

test('a mistyped key costs no look into the store', async () => {
  const world = fakeWorld();
  const { key } = await make(world);
  const before = world.store.calls.length;
  expect(await new KeyRing(world, plainScopes).find(`${key.slice(0, -7)}zzzzzzz`)).toBeNull();
  expect(world.store.calls.length).toBe(before);
});

test('a failed look is not believed', async () => {
  const world = fakeWorld();
  const { key } = await make(world);
  const ring = new KeyRing(world, plainScopes);
  world.store.fault = () => ({ fail: 'before' });
  await expect(ring.find(key)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.store.fault = () => undefined;
  expect(await ring.find(key)).not.toBeNull();
});

test('a key that was found is renewed by its own look, also when wrong keys came from the same address', async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  const ring = new KeyRing(world, plainScopes);
  expect(await ring.find(key)).not.toBeNull();
  // Makes each listing of all keys take a minute.
  world.store.fault = ({ operation }) => (operation === 'list' ? { delayMs: 60_000 } : undefined);
  for (let n = 0; n < 3; n++) {
    await world.clock.advance(bounds.keyFreshMs);
    expect(await ring.find(key, true)).toMatchObject({ keyId: id });
  }
  expect(readsOf(world)).toBe(4);
  world.store.fault = ({ operation }) => (operation === 'get' ? { fail: 'before' } : undefined);
  await world.clock.advance(bounds.keyFreshMs);
  await expect(ring.find(key, true)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.store.fault = ({ operation }) => (operation === 'list' ? { delayMs: 60_000 } : undefined);
  expect(await ring.find(key, true), 'a renewal that fails forgets no key').toMatchObject({ keyId: id });
  await revokeKey(world, 'acme', id);
  await world.clock.advance(bounds.keyFreshMs);
  expect(await ring.find(key, true), 'and it is believed no longer').toBeNull();
  expect(world.store.calls.filter(({ operation }) => operation === 'list')).toEqual([]);
});

test('an id that was never found is looked for among all keys while keys of its address are wrong', async () => {
  const world = fakeWorld();
  const { key } = await make(world);
  const ring = new KeyRing(world, plainScopes);
  const before = readsOf(world);
  for (let n = 0; n < 5; n++) {
    const guess = ring.find(toApiKey(`key_0000009${n}`, new Uint8Array(32)), true);
    await world.clock.advance(bounds.keysListedMs);
    expect(await guess).toBeNull();
  }
  expect(readsOf(world)).toBe(before);
  const found = ring.find(key, true);
  await world.clock.advance(bounds.keysListedMs);
  expect(await found).not.toBeNull();
});

test('a look that ends after its key was revoked here is not kept', async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  const ring = new KeyRing(world, plainScopes);
  world.store.fault = ({ operation }) => (operation === 'head' ? { delayMs: 1000 } : undefined);
  const early = ring.find(key);
  await world.clock.advance(1);
  world.store.fault = () => undefined;
  await revokeKey(world, 'acme', id);
  ring.forget(id);
  await world.clock.advance(1000);
  expect(await early, 'it was read before').not.toBeNull();
  expect(await ring.find(key)).toBeNull();
});

test('the looks that are kept are bounded, and guesses drop no key that was found', { timeout: 60_000 }, async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  const ring = new KeyRing(world, plainScopes);
  await ring.find(key);
  const idOf = (n: number) => `key_x${String(n).padStart(9, '0')}`;
  const before = readsOf(world);
  for (let n = 0; n <= bounds.keysCachedMax; n++) await ring.find(toApiKey(idOf(n), new Uint8Array(32)));
  await ring.find(key);
  expect(readsOf(world), 'the key is still known').toBe(before + bounds.keysCachedMax + 1);
  await ring.find(toApiKey(idOf(0), new Uint8Array(32)));
  expect(readsOf(world), 'the oldest guess is not').toBe(before + bounds.keysCachedMax + 2);

  const stored = JSON.parse(world.store.text(keys.apiKey(id)) ?? '') as object;
  const others = new KeyRing(world, plainScopes);
  await others.find(key);
  for (let n = 0; n < bounds.keysCachedMax; n++) {
    await world.store.put(keys.apiKey(idOf(n)), Buffer.from(JSON.stringify({ ...stored, id: idOf(n) })));
    await others.find(toApiKey(idOf(n), new Uint8Array(32)));
  }
  const full = readsOf(world);
  await others.find(toApiKey(idOf(1), new Uint8Array(32)));
  expect(readsOf(world)).toBe(full);
  await others.find(key);
  expect(readsOf(world), 'the key that was looked for longest ago').toBe(full + 1);
});

test('the last use is noted once an hour, by whichever process sees it, and never in the way of a call', async () => {
  const world = fakeWorld();
  const { id, key } = await make(world);
  const puts = () =>
    world.store.calls.filter((call) => call.operation === 'put' && call.key === keys.apiKeyUsed(id)).length;
  const rings = [new KeyRing(world, plainScopes), new KeyRing(world, plainScopes)];
  expect((await findKey(world.store, id))?.usedMs).toBeNull();
  await rings[0]?.find(key);
  await world.clock.advance(bounds.keyFreshMs);
  for (const ring of rings) for (let n = 0; n < 3; n++) await ring.find(key);
  expect(puts()).toBe(1);
  const usedMs = world.clock.now() - bounds.keyFreshMs;
  expect((await findKey(world.store, id))?.usedMs).toBe(usedMs);
  await world.clock.advance(bounds.keyUseNotedMs);
  world.store.fault = ({ operation }) => (operation === 'put' ? { fail: 'before' } : undefined);
  expect(await rings[0]?.find(key), 'a note that fails is no failure').not.toBeNull();
  await world.clock.advance(1);
  expect(world.log.entries.map(({ event }) => event)).toContain('key.use_not_noted');
});
