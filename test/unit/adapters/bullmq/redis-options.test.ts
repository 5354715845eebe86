import { expect, it } from 'vitest';
import { parseRedisUrl } from '../../../../src/adapters/bullmq/redis-options.js';

it.each([
  ['redis://localhost', { host: 'localhost', port: 6379, db: 0 }],
  ['redis://:p%40ss%2F@10.0.0.1:7000/3', { host: '10.0.0.1', port: 7000, db: 3, password: 'p@ss/' }],
  ['redis://user:pw@[::1]:6379', { host: '::1', port: 6379, db: 0, username: 'user', password: 'pw' }],
  ['rediss://cache.example:6380/0', { host: 'cache.example', port: 6380, db: 0, tls: { servername: 'cache.example' } }],
  ['unix:///run/redis/redis.sock', { path: '/run/redis/redis.sock', db: 0 }],
  ['unix://:pw@localhost/run/a%20b.sock?db=2', { path: '/run/a b.sock', db: 2, password: 'pw' }],
])('reads %s', (url, options) => expect(parseRedisUrl(url)).toEqual(options));

it.each([
  '',
  'localhost:6379',
  'http://localhost:6379',
  'redis://',
  'redis://h/x',
  'redis://:SECRET%zz@h',
  'redis://:SECRET@h:99999',
  'unix://',
  'unix://elsewhere/run/redis.sock',
])('refuses %j without showing it', (url) => {
  let error: unknown;
  try {
    error = parseRedisUrl(url);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: 'config_invalid', param: 'redis_url' });
  expect(String(error)).not.toContain('SECRET');
});
