import type { FastifyRequest } from 'fastify';
import type { KeyHolder, KeyRing } from '../app/keys/key-ring.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import type { Scope } from '../domain/scopes.js';
import type { RefusedKeys } from './refused-keys.js';

/** Missing, malformed, unknown, revoked and expired keys all get this one answer. */
const refused = (): EyrieError =>
  new EyrieError(
    'invalid_api_key',
    'A valid API key is needed. Send it as "Authorization: Bearer ey_..."; `OPENAI_API_KEY` does so in the OpenAI clients.',
  );

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
  const match = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
  const key = match?.[1] ?? '';
  // Also looked up when it cannot be one, so that the time tells nothing.
  const text = key.length <= bounds.apiKeyCharsMax ? key : '';
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
