import { readFile } from 'node:fs/promises';
import { openBullmq, type OpenQueue } from '../adapters/bullmq/open-bullmq.js';
import { EyrieError } from '../domain/errors.js';
import type { Log } from '../ports/log.js';

export interface RedisSettings {
  readonly EYRIE_REDIS_URL: string;
  readonly EYRIE_REDIS_TLS_CA_FILE?: string | undefined;
  readonly EYRIE_REDIS_TLS_CERT_FILE?: string | undefined;
  readonly EYRIE_REDIS_TLS_KEY_FILE?: string | undefined;
  readonly EYRIE_REDIS_TLS_SERVER_NAME?: string | undefined;
  readonly EYRIE_REDIS_ALLOW_EVICTION: boolean;
  readonly EYRIE_LOCK_MS: number;
  readonly EYRIE_STALLED_CHECK_MS: number;
}

type FileSetting = 'EYRIE_REDIS_TLS_CA_FILE' | 'EYRIE_REDIS_TLS_CERT_FILE' | 'EYRIE_REDIS_TLS_KEY_FILE';

async function readPem(settings: RedisSettings, name: FileSetting): Promise<Buffer | undefined> {
  const file = settings[name];
  if (file === undefined) return undefined;
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new EyrieError('config_invalid', `${name} ${file} cannot be read: ${(cause as Error).message}.`, {
      param: name,
      cause,
    });
  });
  if (!bytes.includes('-----BEGIN '))
    throw new EyrieError('config_invalid', `${name} ${file} is no PEM file: it has no line "-----BEGIN …".`, {
      param: name,
    });
  return bytes;
}

/**
 * Opens the queue and what else is in Redis. Throws `config_invalid` when the server can be reached and is not one to work with.
 * A server that is away is waited for in the background; if it turns out to be such a one, `fail` is called.
 */
export async function openRedis(settings: RedisSettings, log: Log, fail: (error: unknown) => void): Promise<OpenQueue> {
  const [ca, cert, key] = await Promise.all([
    readPem(settings, 'EYRIE_REDIS_TLS_CA_FILE'),
    readPem(settings, 'EYRIE_REDIS_TLS_CERT_FILE'),
    readPem(settings, 'EYRIE_REDIS_TLS_KEY_FILE'),
  ]);
  const bull = openBullmq({
    redisUrl: settings.EYRIE_REDIS_URL,
    tls: { ca, cert, key, serverName: settings.EYRIE_REDIS_TLS_SERVER_NAME },
    allowEviction: settings.EYRIE_REDIS_ALLOW_EVICTION,
    log,
    settings: { lockMs: settings.EYRIE_LOCK_MS, stalledCheckMs: settings.EYRIE_STALLED_CHECK_MS },
  });
  await bull.check(fail);
  return bull;
}
