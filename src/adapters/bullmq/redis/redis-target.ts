import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { EyrieError } from '../../../domain/errors.js';
import { invalidUrl, parseRedisUrl, toDb } from '../redis-options.js';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** What the URL names: one server, the Sentinels that know where the server is, or some nodes of a cluster. */
export type RedisTarget =
  | { readonly form: 'single'; readonly options: RedisOptions }
  | { readonly form: 'sentinel'; readonly options: RedisOptions }
  | { readonly form: 'cluster'; readonly options: RedisOptions; readonly nodes: readonly RedisNode[] };

/** For TLS, in PEM. */
export interface RedisTls {
  /** Certificates that are trusted in place of those that Node.js trusts. */
  readonly ca?: Buffer | string | undefined;
  /** Certificate and key of this client. */
  readonly cert?: Buffer | string | undefined;
  readonly key?: Buffer | string | undefined;
  /** Name that the servers' certificates must have, where servers are announced by address. */
  readonly serverName?: string | undefined;
}

// scheme, user:password, hosts, path, options
const severalHosts = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(\/[^@?#]*)?(?:\?([^@#]*))?$/;
const sentinelOptions: ReadonlySet<string> = new Set(['sentinelUser', 'sentinelPassword']);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidUrl('it has a % that encodes nothing');
  }
}

function parseCredentials(text: string): Pick<RedisOptions, 'username' | 'password'> {
  const [, user = '', password] = /^([^:]*)(?::(.*))?$/.exec(text) ?? [];
  return {
    ...(user === '' ? {} : { username: decode(user) }),
    ...(password === undefined || password === '' ? {} : { password: decode(password) }),
  };
}

/** Hosts are not shown either: a password that is not %-encoded may look like one. */
function parseNodes(text: string, defaultPort: number): RedisNode[] {
  if (text === '') throw invalidUrl('the hosts are missing');
  return text.split(',').map((part, at) => {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(part);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3] ?? defaultPort);
    if (host === undefined || port < 1 || port > 65_535) throw invalidUrl(`host ${at + 1} is not host[:port]`);
    return { host, port };
  });
}

function parseSentinelOptions(text: string | undefined): RedisOptions {
  const found = new Map<string, string>();
  for (const pair of text ? text.split('&') : []) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    if (!sentinelOptions.has(name) || found.has(name))
      throw invalidUrl('behind "?" only sentinelUser and sentinelPassword may stand, each once');
    found.set(name, decode(value));
  }
  const [user, password] = [found.get('sentinelUser'), found.get('sentinelPassword')];
  if (user !== undefined && password === undefined) throw invalidUrl('a sentinelUser needs a sentinelPassword');
  return {
    ...(user === undefined ? {} : { sentinelUsername: user }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
  };
}

function parseSeveralHosts(text: string): RedisTarget {
  const match = severalHosts.exec(text);
  if (!match) throw invalidUrl('it has an @, ? or # where none may be');
  const [, scheme, form, credentials = '', hosts = '', path = '', query] = match;
  const options = { ...parseCredentials(credentials), ...(scheme === 'rediss' ? { tls: {} } : {}) };
  if (form === 'cluster') {
    if (query !== undefined) throw invalidUrl('a cluster has no options behind "?"');
    if (toDb(path.slice(1)) !== 0) throw invalidUrl('a cluster has no database but 0');
    return { form: 'cluster', options, nodes: parseNodes(hosts, 6379) };
  }
  const [, name = '', db = '', ...more] = path.split('/');
  if (name === '') throw invalidUrl('the name of the master is missing behind the Sentinels');
  if (more.length > 0) throw invalidUrl('its path is more than master and database');
  return {
    form: 'sentinel',
    options: {
      ...options,
      ...parseSentinelOptions(query),
      sentinels: parseNodes(hosts, 26_379),
      name: decode(name),
      db: toDb(db),
    },
  };
}

function toTlsOptions({ servername }: ConnectionOptions, tls: RedisTls): ConnectionOptions {
  const name = tls.serverName ?? servername;
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    // An address is no server name; the certificate is compared with the address that was connected to.
    ...(name === undefined || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 ? {} : { servername: name }),
  };
}

function withTls(target: RedisTarget, tls: RedisTls): RedisTarget {
  const { options } = target;
  if (options.tls === undefined) {
    if (Object.values(tls).some((part) => part !== undefined))
      throw new EyrieError(
        'config_invalid',
        'Settings for TLS are given, but the Redis URL is one without TLS: rediss:// (rediss+sentinel://, rediss+cluster://) is needed.',
        { param: 'redis_url' },
      );
    return target;
  }
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw new EyrieError(
      'config_invalid',
      "The client's certificate for Redis needs its key, and the key its certificate.",
      {
        param: 'redis_tls',
      },
    );
  const secured = toTlsOptions(options.tls, tls);
  const sentinel = target.form === 'sentinel' ? { sentinelTLS: secured, enableTLSForSentinelMode: true } : {};
  return { ...target, options: { ...options, tls: secured, ...sentinel } };
}

/** What to connect to. Throws `config_invalid`; passwords are never shown. */
export function parseRedisTarget(url: string, tls: RedisTls = {}): RedisTarget {
  const target: RedisTarget = /^rediss?\+/.test(url)
    ? parseSeveralHosts(url)
    : { form: 'single', options: parseRedisUrl(url) };
  return withTls(target, tls);
}
