import type { RedisOptions } from 'ioredis';
import { EyrieError } from '../../domain/errors.js';

const allowed =
  'redis://[user:password@]host[:port][/db], rediss://… for TLS, or unix://[user:password@localhost]/path/to.sock[?db=0] is allowed; special characters of a password are %-encoded.';

// The URL is not shown: it may hold a password.
const invalid = (flaw: string): EyrieError =>
  new EyrieError('config_invalid', `Invalid Redis URL: ${flaw}. ${allowed}`, { param: 'redis_url' });

function toDb(text: string): number {
  if (!/^\d{0,5}$/.test(text)) throw invalid('the database is no number');
  return Number(text || 0);
}

/** Connection options from a Redis URL. Throws `config_invalid`. */
export function parseRedisUrl(text: string): RedisOptions {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid('it is no URL');
  }
  let credentials: { username?: string; password?: string };
  try {
    credentials = {
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    };
  } catch {
    throw invalid('its user or password is not %-encoded');
  }
  if (url.protocol === 'unix:') {
    if (url.hostname !== '' && url.hostname !== 'localhost') throw invalid('a socket has no host');
    if (url.pathname.length < 2) throw invalid('the path of the socket is missing');
    return { path: decodeURIComponent(url.pathname), db: toDb(url.searchParams.get('db') ?? ''), ...credentials };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw invalid(`the scheme is '${url.protocol}'`);
  if (url.hostname === '') throw invalid('the host is missing');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    db: toDb(url.pathname.slice(1)),
    ...credentials,
    ...(url.protocol === 'rediss:' ? { tls: { servername: url.hostname } } : {}),
  };
}
