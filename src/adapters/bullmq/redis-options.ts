import type { RedisOptions } from 'ioredis';
import { EyrieError } from '../../domain/errors.js';

const allowed =
  'redis://[user:password@]host[:port][/db], rediss://… for TLS, unix://[user:password@localhost]/path/to.sock[?db=0], redis+sentinel://[user:password@]host[:port],…/master[/db][?sentinelUser=…&sentinelPassword=…] or redis+cluster://[user:password@]host[:port],… is allowed, the last two also with rediss+ for TLS; special characters of a password are %-encoded.';

// The URL is not shown: it may hold a password.
export const invalidUrl = (flaw: string): EyrieError =>
  new EyrieError('config_invalid', `Invalid Redis URL: ${flaw}. ${allowed}`, { param: 'redis_url' });

export function toDb(text: string): number {
  if (!/^\d{0,5}$/.test(text)) throw invalidUrl('the database is no number');
  return Number(text || 0);
}

/** Connection options from the URL of a single Redis. Throws `config_invalid`. */
export function parseRedisUrl(text: string): RedisOptions {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalidUrl('it is no URL');
  }
  let credentials: { username?: string; password?: string };
  try {
    credentials = {
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    };
  } catch {
    throw invalidUrl('its user or password is not %-encoded');
  }
  const isSocket = url.protocol === 'unix:';
  if ([...url.searchParams.keys()].some((name) => !isSocket || name !== 'db'))
    throw invalidUrl('it has an option behind "?" that is not known');
  if (isSocket) {
    if (url.hostname !== '' && url.hostname !== 'localhost') throw invalidUrl('a socket has no host');
    if (url.pathname.length < 2) throw invalidUrl('the path of the socket is missing');
    return { path: decodeURIComponent(url.pathname), db: toDb(url.searchParams.get('db') ?? ''), ...credentials };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw invalidUrl(`the scheme is '${url.protocol}'`);
  if (url.hostname === '') throw invalidUrl('the host is missing');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    db: toDb(url.pathname.slice(1)),
    ...credentials,
    ...(url.protocol === 'rediss:' ? { tls: { servername: url.hostname } } : {}),
  };
}
