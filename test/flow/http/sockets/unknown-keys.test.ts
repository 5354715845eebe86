import { expect, test } from 'vitest';
import { createKey } from '../../../../src/app/keys/create-key.js';
import { toApiKey } from '../../../../src/domain/api-key.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { passTimeUntil } from '../answering.js';
import { keyA } from '../fake-world.js';
import { listening } from '../listening.js';

test('unknown keys from one address cost the store a bounded number of calls; valid keys work at once', async () => {
  const server = await listening();
  const made = await createKey(server.world, 'tenant-a', { name: 'new', scopes: ['files:read'] });
  const ask = (key: string) => server.call('/v1/files', { headers: { authorization: `Bearer ${key}` } });
  const guess = (n: number) => ask(toApiKey(`key_${String(n).padStart(26, '0')}`, Buffer.alloc(32, n)));
  for (let n = 0; n < bounds.refusedKeysPerMinute; n++) expect((await guess(n)).status).toBe(401);
  server.world.store.calls.length = 0;
  expect((await guess(9000)).status).toBe(401);
  // From now on the guesses wait for the next listing together.
  const guesses = Array.from({ length: 200 }, (_, n) => guess(1000 + n));
  const valid = ask(made.key);
  expect((await ask(keyA)).status).toBe(200);
  const late = await createKey(server.world, 'tenant-a', { name: 'newer', scopes: ['files:read'] });
  const newer = ask(late.key);
  await passTimeUntil(
    server.world,
    'all guesses were answered',
    // The guesses before, those that wait together, and three calls with valid keys.
    () => server.world.log.of('http.request').length === bounds.refusedKeysPerMinute + 1 + 200 + 3,
    bounds.keysListedMs,
  );
  expect(new Set((await Promise.all(guesses)).map(({ status }) => status))).toEqual(new Set([401]));
  expect((await valid).status).toBe(200);
  expect((await newer).status).toBe(200);
  const { calls } = server.world.store;
  expect(calls.filter(({ key }) => key === 'keys/').length).toBeLessThan(20);
  expect(calls.filter(({ key }) => /^keys\/key_0{20}/.test(key))).toEqual([]);
});

test('guesses that are made at once cost no more than those made one after the other', async () => {
  const server = await listening();
  const guess = (n: number) =>
    server.call('/v1/files', {
      headers: { authorization: `Bearer ${toApiKey(`key_${String(n).padStart(26, '0')}`, Buffer.alloc(32, n))}` },
    });
  const { clock } = server.world;
  const startMs = clock.monotonic();
  const guesses = Array.from({ length: 5 * bounds.refusedKeysPerMinute }, (_, n) => guess(n));
  await passTimeUntil(
    server.world,
    'all guesses were answered',
    () => server.world.log.of('http.request').length === guesses.length,
    bounds.keysListedMs,
  );
  expect(new Set((await Promise.all(guesses)).map(({ status }) => status))).toEqual(new Set([401]));
  const looks = server.world.store.calls.filter(({ key }) => /^keys\/key_0{20}/.test(key));
  expect(looks.length).toBeGreaterThan(0);
  // Some come late: the time that passed has let more of them through.
  const minutes = 1 + (clock.monotonic() - startMs) / 60_000;
  expect(looks.length).toBeLessThanOrEqual(Math.ceil(minutes * bounds.refusedKeysPerMinute));
  expect(looks.length).toBeLessThan(guesses.length / 2);
});
