import { describe, expect, it } from 'vitest';
import { parseRedisTarget, type RedisTls } from '../../../../src/adapters/bullmq/redis/redis-target.js';

const tls: RedisTls = { ca: 'CA', cert: 'CERT', key: 'KEY' };

describe('what a URL names', () => {
  it.each([
    ['redis://h', { form: 'single', options: { host: 'h', port: 6379, db: 0 } }],
    [
      'redis+sentinel://h1:26380,h2,[::1]:26381/mymaster',
      {
        form: 'sentinel',
        options: {
          sentinels: [
            { host: 'h1', port: 26_380 },
            { host: 'h2', port: 26_379 },
            { host: '::1', port: 26_381 },
          ],
          name: 'mymaster',
          db: 0,
        },
      },
    ],
    [
      'redis+sentinel://user:p%40ss%2F@h1/my%2Fmaster/3?sentinelUser=s&sentinelPassword=a+b%26c=d',
      {
        form: 'sentinel',
        options: {
          sentinels: [{ host: 'h1', port: 26_379 }],
          name: 'my/master',
          db: 3,
          username: 'user',
          password: 'p@ss/',
          sentinelUsername: 's',
          sentinelPassword: 'a+b&c=d',
        },
      },
    ],
    [
      'redis+cluster://:p:w@10.0.0.1:7000,redis-2.example/0',
      {
        form: 'cluster',
        options: { password: 'p:w' },
        nodes: [
          { host: '10.0.0.1', port: 7000 },
          { host: 'redis-2.example', port: 6379 },
        ],
      },
    ],
    ['redis+cluster://h/', { form: 'cluster', options: {}, nodes: [{ host: 'h', port: 6379 }] }],
  ])('%s', (url, target) => expect(parseRedisTarget(url)).toEqual(target));

  it.each([
    ['redis+cluster://h/3', 'no database but 0'],
    ['redis+cluster://h?db=0', 'no options behind "?"'],
    ['redis+cluster://', 'the hosts are missing'],
    ['redis+cluster://:SECRET@', 'the hosts are missing'],
    ['redis+cluster://h1,,h2', 'host 2 is not'],
    ['redis+cluster://h1,h2:0', 'host 2 is not'],
    ['redis+cluster://h1:70000', 'host 1 is not'],
    ['redis+cluster://h 1', 'host 1 is not'],
    ['redis+cluster://user:SECRET/x@h1', 'an @, ? or #'],
    ['redis+cluster://user:SECRET?x@h1', 'an @, ? or #'],
    ['redis+cluster://user:SECRET#x@h1', 'an @, ? or #'],
    ['redis+cluster://user:SECRET@x@h1', 'an @, ? or #'],
    ['redis+cluster://:SECRET%zz@h1', 'a % that encodes nothing'],
    ['redis+sentinel:///mymaster', 'the hosts are missing'],
    ['redis+sentinel://h1', 'the name of the master is missing'],
    ['redis+sentinel://h1/', 'the name of the master is missing'],
    ['redis+sentinel://h1/m/x', 'the database is no number'],
    ['redis+sentinel://h1/m/1/2', 'more than master and database'],
    ['redis+sentinel://h1/m?sentinelPasswort=SECRET', 'only sentinelUser and sentinelPassword'],
    ['redis+sentinel://h1/m?sentinelPassword=SECRET&sentinelPassword=SECRET', 'each once'],
    ['redis+sentinel://h1/m?sentinelUser=u', 'needs a sentinelPassword'],
    ['redis+sentinels://h1/m', 'an @, ? or #'],
    ['redis://h?family=6', 'an option behind "?"'],
    ['redis://h?db=1', 'an option behind "?"'],
    ['unix:///s?password=SECRET', 'an option behind "?"'],
  ])('%s is refused: %s', (url, reason) => {
    let error: unknown;
    try {
      error = parseRedisTarget(url);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'config_invalid', param: 'redis_url' });
    expect(String(error)).toContain(reason);
    expect(String(error)).not.toContain('SECRET');
  });
});

describe('TLS', () => {
  it.each([
    ['rediss://h', { ca: 'CA', cert: 'CERT', key: 'KEY', servername: 'h' }],
    // An address is not sent as a name.
    ['rediss://10.0.0.1', { ca: 'CA', cert: 'CERT', key: 'KEY' }],
    ['rediss://[::1]', { ca: 'CA', cert: 'CERT', key: 'KEY' }],
    ['rediss+cluster://h', { ca: 'CA', cert: 'CERT', key: 'KEY' }],
    ['rediss+sentinel://h/m', { ca: 'CA', cert: 'CERT', key: 'KEY' }],
  ])('%s', (url, options) => expect(parseRedisTarget(url, tls).options.tls).toEqual(options));

  it('is for the Sentinels too, and takes one name for all', () => {
    const secured = { ca: 'CA', servername: 'redis.example' };
    expect(parseRedisTarget('rediss+sentinel://h/m', { ca: 'CA', serverName: 'redis.example' }).options).toMatchObject({
      tls: secured,
      sentinelTLS: secured,
      enableTLSForSentinelMode: true,
    });
  });

  it.each(['redis://h', 'unix:///s', 'redis+cluster://h', 'redis+sentinel://h/m'])('is not had by %s', (url) =>
    expect(() => parseRedisTarget(url, { ca: 'CA' })).toThrow(/without TLS/),
  );

  it('wants a certificate and its key together', () => {
    expect(() => parseRedisTarget('rediss://h', { cert: 'CERT' })).toThrow(/needs its key/);
    expect(() => parseRedisTarget('rediss://h', { key: 'KEY' })).toThrow(/needs its key/);
  });
});
