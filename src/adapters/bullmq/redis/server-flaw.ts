import type { RedisTarget } from './redis-target.js';

export interface ServerRules {
  /** Take a server that may evict our keys. */
  readonly allowEviction: boolean;
}

/** Oldest version, as major × 100 + minor. */
const versionMin = 602;

/** The fields of an answer to INFO. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':');
      return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );
}

export const evicts = (info: ReadonlyMap<string, string>): boolean =>
  (info.get('maxmemory_policy') ?? 'noeviction') !== 'noeviction';

/** Why this server cannot be used, and what to do; null when it can. Fields that a server does not tell are no flaw. */
export function flawOfServer(
  info: ReadonlyMap<string, string>,
  form: RedisTarget['form'],
  { allowEviction }: ServerRules,
): string | null {
  const mode = info.get('redis_mode');
  const isCluster = info.get('cluster_enabled') === '1' || mode === 'cluster';
  if (mode === 'sentinel')
    return 'it is a Sentinel: use redis+sentinel://host:26379,…/master, with the name that the Sentinels know the master by';
  // A Valkey server gives the Redis version that it is compatible with.
  const version = info.get('redis_version') ?? '';
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major !== undefined && Number(major) * 100 + Number(minor) < versionMin)
    return `its version is ${version}: Redis 6.2 or newer, or Valkey, is needed`;
  if (isCluster && form !== 'cluster')
    return 'it is a node of a cluster: use redis+cluster://host:port,… with some of its nodes';
  if (!isCluster && form === 'cluster') return 'it is no cluster: use redis:// or redis+sentinel://';
  if (info.get('role') === 'slave' && form === 'single')
    return 'it is a replica, which takes no writes: name the master, or use redis+sentinel:// so that the Sentinels do';
  if (evicts(info) && !allowEviction)
    return `its maxmemory-policy is ${info.get('maxmemory_policy')}, which may remove jobs: set it to noeviction, or take the risk with EYRIE_REDIS_ALLOW_EVICTION=true`;
  return null;
}

const denied = /WRONGPASS|NOAUTH|invalid password/;
const certificate =
  /certificate|unable to verify|unable to get (local )?issuer|Hostname\/IP does not match|alert unknown ca|alert bad cert/i;
const noTls = /wrong version number|packet length too long/;

/** Why a connection that failed with these words will never succeed, and what to do; null when the server may just be away. */
export function flawOfError(reason: string, form: RedisTarget['form']): string | null {
  if (denied.test(reason)) return `it refuses the user or password (${reason}): correct them in EYRIE_REDIS_URL`;
  if (reason.includes('NOPERM'))
    return `its ACL denies what Eyrie needs (${reason}): docs/operations.md has the ACL line`;
  if (noTls.test(reason))
    return `it does not speak TLS (${reason}): use redis:// instead of rediss://, or its TLS port`;
  if (certificate.test(reason))
    return `a TLS certificate is refused (${reason}): EYRIE_REDIS_TLS_CA_FILE names who signs the server's, EYRIE_REDIS_TLS_CERT_FILE and EYRIE_REDIS_TLS_KEY_FILE this client's, EYRIE_REDIS_TLS_SERVER_NAME its name`;
  if (form === 'cluster' && reason.includes('cluster support disabled'))
    return 'it is no cluster: use redis:// or redis+sentinel://';
  if (form === 'sentinel' && /unknown command.*sentinel/i.test(reason))
    return 'what answers is no Sentinel: redis+sentinel:// names the Sentinels (port 26379), not the servers';
  if (form === 'sentinel' && reason.includes('No such master'))
    return 'the Sentinels do not know a master of that name: see `sentinel monitor` in their configuration';
  return null;
}
