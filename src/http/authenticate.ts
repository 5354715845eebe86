import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { KeyHolder, KeyRing } from '../app/keys/key-ring.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { Scope } from '../domain/scopes.js';
import { networkOf, type RefusedKeys } from './refused-keys.js';

/** Missing, malformed, unknown, revoked and expired keys all get this one answer. */
const refused = (): EyrieError =>
  new EyrieError(
    'invalid_api_key',
    'A valid API key is needed. Send it as "Authorization: Bearer ey_..."; `OPENAI_API_KEY` does so in the OpenAI clients.',
  );

/** The text of the key that is sent; empty where there is none, or none that could be one. */
function keyOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const key = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  return key.length <= bounds.apiKeyCharsMax ? key : '';
}

/**
 * Whose request it is, as far as that is known without looking anywhere: the tenant of a known key, otherwise the network that it
 * comes from. What is not checked yet (spellings of the header, made-up keys) makes nobody several callers.
 */
export function callerOf(keyRing: Pick<KeyRing, 'knownTenant'>, request: IncomingMessage): string {
  const tenant = keyRing.knownTenant(keyOf(request));
  // No tenant has a blank in its name.
  return tenant ?? `network ${networkOf(request.socket.remoteAddress ?? '')}`;
}

/**
 * Whom the request's key stands for: the tenant comes from the key alone, never from a path, body or other header. Throws
 * `invalid_api_key`.
 */
export async function authenticate(
  keyRing: KeyRing,
  refusedKeys: RefusedKeys,
  request: FastifyRequest,
): Promise<KeyHolder> {
  const address = request.raw.socket.remoteAddress ?? '';
  // Also looked up when it cannot be one, so that the time tells nothing.
  const text = keyOf(request.raw);
  const holder = await refusedKeys.find(address, async (doubtful) => {
    const found = await keyRing.find(text, doubtful);
    return text === '' ? null : found;
  });
  if (holder === null) throw refused();
  return holder;
}

/** Throws `insufficient_scope` with the scope that is missing. */
export function requireScope({ scopes }: Pick<KeyHolder, 'scopes'>, scope: Scope): void {
  if (scopes.includes(scope)) return;
  throw new EyrieError(
    'insufficient_scope',
    `This key lacks the scope '${scope}'; it has: ${scopes.join(', ') || 'none'}. Use a key that was made with it.`,
  );
}
