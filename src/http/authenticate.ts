import type { FastifyRequest } from 'fastify';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';

/** Missing, malformed, unknown and revoked keys all get this one answer. */
const refused = (): EyrieError =>
  new EyrieError(
    'invalid_api_key',
    'A valid API key is needed. Send it as "Authorization: Bearer ey_..."; `OPENAI_API_KEY` does so in the OpenAI clients.',
  );

/** The tenant that the request's key belongs to: from the key alone, never from a path, body or other header. */
export async function authenticate({ tenants }: Pick<World, 'tenants'>, request: FastifyRequest): Promise<string> {
  const match = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
  const key = match?.[1] ?? '';
  // Also looked up when it cannot be one, so that the time tells nothing.
  const tenant = await tenants.tenantOfKey(key.length <= bounds.apiKeyCharsMax ? key : '');
  if (tenant === null || key === '') throw refused();
  return tenant;
}
