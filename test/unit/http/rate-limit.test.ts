import { expect, test } from 'vitest';
import { RateLimit } from '../../../src/http/rate-limit.js';

test('a minute’s worth may come at once, then one every 1/limit minute', () => {
  const limit = new RateLimit();
  for (let n = 0; n < 60; n++) expect(limit.take('a', 60, 0).retryAfterSeconds).toBeNull();
  expect(limit.take('a', 60, 0)).toEqual({ limit: 60, remaining: 0, resetSeconds: 60, retryAfterSeconds: 1 });
  expect(limit.take('a', 60, 500).retryAfterSeconds).toBe(1);
  expect(limit.take('a', 60, 1000)).toMatchObject({ remaining: 0, retryAfterSeconds: null });
  expect(limit.take('a', 60, 1000).retryAfterSeconds).toBe(1);
  expect(limit.take('a', 60, 3_600_000), 'no more than a minute is saved up').toMatchObject({ remaining: 59 });
});

test('tenants do not share a limit', () => {
  const limit = new RateLimit();
  expect(limit.take('a', 1, 0).retryAfterSeconds).toBeNull();
  expect(limit.take('a', 1, 0).retryAfterSeconds).toBe(60);
  expect(limit.take('b', 1, 0).retryAfterSeconds).toBeNull();
});

test('a refused request costs nothing', () => {
  const limit = new RateLimit();
  for (let n = 0; n < 1000; n++) limit.take('a', 60, 0);
  expect(limit.take('a', 60, 1000).retryAfterSeconds).toBeNull();
});
