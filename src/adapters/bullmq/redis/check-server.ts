import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { EyrieError } from '../../../domain/errors.js';
import type { Log } from '../../../ports/log.js';
import { reconnectDelayMs, type RedisClient } from './connect-redis.js';
import { reasonOf } from './reason-of.js';
import type { RedisTarget } from './redis-target.js';
import { evicts, flawOfError, flawOfServer, parseInfo, type ServerRules } from './server-flaw.js';

const refused = (flaw: string): EyrieError =>
  new EyrieError('config_invalid', `The Redis of EYRIE_REDIS_URL cannot be used: ${flaw}.`, {
    param: 'EYRIE_REDIS_URL',
  });

/** Resolves when there is a connection, or none will come any more; throws when the server said that it will not have us. */
function connected(redis: RedisClient, form: RedisTarget['form']): Promise<void> {
  if (redis.status === 'ready' || redis.status === 'end') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      redis.off('ready', onDone);
      redis.off('end', onDone);
      redis.off('error', onError);
      act();
    };
    const onDone = (): void => settle(resolve);
    const onError = (error: unknown): void => {
      const flaw = flawOfError(reasonOf(error), form);
      if (flaw !== null) settle(() => reject(refused(flaw)));
    };
    redis.once('ready', onDone);
    redis.once('end', onDone);
    redis.on('error', onError);
  });
}

/** What the servers that may hold our keys tell of themselves; null when none could be asked. */
async function readInfos(redis: RedisClient): Promise<readonly string[] | null> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const answers = await Promise.allSettled(nodes.map((node) => node.info()));
  const texts = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const failure = answers.find((answer) => answer.status === 'rejected');
  if (texts.length > 0 || !failure) return texts.length > 0 ? texts : null;
  const reason = reasonOf(failure.reason);
  if (reason.includes('NOPERM')) throw refused(flawOfError(reason, 'single') ?? reason);
  return null;
}

/**
 * Looks at the servers once, as soon as they can be reached, however long that takes. Throws `config_invalid` when they are of a
 * kind, version or setting with which work would be lost or could not be done; resolves when the connection was closed before.
 */
export async function checkServer(
  redis: RedisClient,
  target: RedisTarget,
  rules: ServerRules,
  log: Log,
): Promise<void> {
  for (let times = 1; ; times++) {
    await connected(redis, target.form);
    if (redis.status === 'end') return;
    const infos = await readInfos(redis);
    for (const info of infos?.map(parseInfo) ?? []) {
      const flaw = flawOfServer(info, target.form, rules);
      if (flaw !== null) throw refused(flaw);
      if (evicts(info)) log.warn('queue.eviction_allowed', { policy: info.get('maxmemory_policy') ?? '' });
    }
    if (infos) return;
    await sleep(reconnectDelayMs(times), undefined, { ref: false });
  }
}

/** Resolves when it is clear that there is no connection for now. */
function awayFor(redis: RedisClient, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      redis.off('error', settle);
      redis.off('close', settle);
      // Those who look at the error itself come first.
      setImmediate(resolve);
    };
    const timer = setTimeout(settle, waitMs);
    redis.on('error', settle);
    redis.on('close', settle);
  });
}

/** `checkServer`, waited for only while it makes progress: throws what it finds until then, and gives `onLate` what it finds later. */
export async function checkAtStart(
  waitMs: number,
  onLate: (error: unknown) => void,
  ...[redis, target, rules, log]: Parameters<typeof checkServer>
): Promise<void> {
  let late = false;
  const checked = checkServer(redis, target, rules, log);
  checked.catch((error: unknown) => {
    if (late) onLate(error);
  });
  try {
    await Promise.race([checked, awayFor(redis, waitMs)]);
  } finally {
    late = true;
  }
}
