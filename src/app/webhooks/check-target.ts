import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';

/** Throws `invalid_value` for a URL that webhooks may not go to. */
export async function checkTarget(
  { egress }: Pick<World, 'egress'>,
  tenant: string,
  url: string,
  param: string,
): Promise<void> {
  const refusal = await egress.refusalOf(tenant, url);
  if (refusal === null) return;
  throw new EyrieError(
    'invalid_value',
    `Invalid value for '${param}': ${refusal}. Webhooks go to public addresses by https on port 443; user and password are not allowed.`,
    { param },
  );
}
