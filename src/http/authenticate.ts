import type { FastifyRequest } from 'fastify';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { plainScopes, type Scope } from '../domain/scopes.js';

/** Whom a request comes from. */
export interface Caller {
  /** From the key alone, never from a path, body or other header. */
  readonly tenant: string;
  readonly scopes: readonly Scope[];
}

/** Missing, malformed, unknown, revoked and expired keys all get this one answer. */
const refused = (): EyrieError =>
  new EyrieError(
    'invalid_api_key',
    'A valid API key is needed. Send it as "Authorization: Bearer ey_..."; `OPENAI_API_KEY` does so in the OpenAI clients.',
  );

/** The caller that the request's key stands for. Throws `invalid_api_key`. */
export async function authenticate({ tenants }: Pick<World, 'tenants'>, request: FastifyRequest): Promise<Caller> {
  const match = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
  const key = match?.[1] ?? '';
  // Also looked up when it cannot be one, so that the time tells nothing.
  const tenant = await tenants.tenantOfKey(key.length <= bounds.apiKeyCharsMax ? key : '');
  if (tenant === null || key === '') throw refused();
  return { tenant, scopes: plainScopes };
}

/** Throws `insufficient_scope` with the scope that is missing. */
export function requireScope({ scopes }: Caller, scope: Scope): void {
  if (scopes.includes(scope)) return;
  throw new EyrieError(
    'insufficient_scope',
    `This key lacks the scope '${scope}'; it has: ${scopes.join(', ') || 'none'}. Use a key that was made with it.`,
  );
}
