import { expect, test } from 'vitest';
import { keyB } from './fake-world.js';
import { errorOf, listening } from './listening.js';

test('answers tell what is left, and a loop is stopped without touching other tenants', async () => {
  const { call, world } = await listening({ requestsPerMinute: 2 });
  const first = await call('/v1/models');
  expect(first.headers.get('x-ratelimit-limit-requests')).toBe('2');
  expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
  expect(first.headers.get('x-ratelimit-reset-requests')).toBe('30s');
  await call('/v1/models');
  const third = await call('/v1/models');
  expect(third.status).toBe(429);
  expect(third.headers.get('retry-after')).toBe('30');
  expect(await errorOf(third)).toMatchObject({ code: 'rate_limit_exceeded' });
  expect((await call('/v1/models', { headers: { authorization: `Bearer ${keyB}` } })).status).toBe(200);
  expect((await call('/health')).status, 'probes are not counted').toBe(200);
  await world.clock.advance(30_000);
  expect((await call('/v1/models')).status).toBe(200);
});

test('wrong keys use up nobody’s limit', async () => {
  const { call } = await listening({ requestsPerMinute: 1 });
  for (let n = 0; n < 5; n++)
    expect((await call('/v1/models', { headers: { authorization: 'Bearer ey_x' } })).status).toBe(401);
  expect((await call('/v1/models')).status).toBe(200);
});

test('a limit can be turned off', async () => {
  const { call } = await listening({ requestsPerMinute: null });
  expect((await call('/v1/models')).headers.get('x-ratelimit-limit-requests')).toBeNull();
});
