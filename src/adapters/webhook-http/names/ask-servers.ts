import { Resolver } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';

/** A server is given this long for its first answer, and asked so often; `signal` bounds the whole. */
const attemptMs = 1500;
const attempts = 2;
/** When one family has answered with addresses, the other one is waited for this long. */
const otherFamilyMs = 1000;

/** Why no address of a name is known. */
export class NameFailed extends Error {
  readonly code: 'ENOTFOUND' | 'ETIMEOUT';

  constructor(code: 'ENOTFOUND' | 'ETIMEOUT', cause?: unknown) {
    super(code === 'ENOTFOUND' ? 'name not found' : 'name not looked up in time', { cause });
    this.code = code;
  }
}

const absent: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME', 'EBADQUERY']);

/**
 * Asks the name servers for the addresses of a complete name, IPv4 before IPv6. A resolver of its own carries the look-up, so that
 * cancelling ends this one: its sockets are closed and nothing of it is left. Throws `NameFailed`.
 */
export async function askServers(
  name: string,
  servers: readonly string[] | null,
  signal: AbortSignal,
): Promise<LookupAddress[]> {
  const resolver = new Resolver({ timeout: attemptMs, tries: attempts });
  if (servers) resolver.setServers(servers);
  const cancel = (): void => resolver.cancel();
  if (signal.aborted) throw new NameFailed('ETIMEOUT');
  signal.addEventListener('abort', cancel, { once: true });
  let other: NodeJS.Timeout | undefined;
  const found: LookupAddress[] = [];
  const failures: unknown[] = [];
  const family = async (number: 4 | 6, addresses: Promise<string[]>): Promise<void> => {
    try {
      for (const address of await addresses) found.push({ address, family: number });
      if (found.length > 0) other ??= setTimeout(cancel, otherFamilyMs);
    } catch (error) {
      failures.push((error as NodeJS.ErrnoException).code);
    }
  };
  try {
    await Promise.all([family(4, resolver.resolve4(name)), family(6, resolver.resolve6(name))]);
  } finally {
    clearTimeout(other);
    signal.removeEventListener('abort', cancel);
  }
  if (found.length > 0) return found.toSorted((a, b) => a.family - b.family);
  throw new NameFailed(failures.every((code) => absent.has(code)) ? 'ENOTFOUND' : 'ETIMEOUT', failures[0]);
}
