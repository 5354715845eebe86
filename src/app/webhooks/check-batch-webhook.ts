import type { CreateBatchRequest } from '../../contract/create-batch.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { checkTarget } from './check-target.js';

const param = 'eyrie.webhook.url';

/** The URL that a batch names for itself must be allowed, and something must sign what goes there. Throws `invalid_value`. */
export async function checkBatchWebhook(
  world: Pick<World, 'egress' | 'tenants'>,
  tenant: string,
  request: CreateBatchRequest,
): Promise<void> {
  const url = request.eyrie?.webhook?.url;
  if (url === undefined) return;
  await checkTarget(world, tenant, url, param);
  if ((await world.tenants.signingSecrets(tenant)).length === 0)
    throw new EyrieError(
      'invalid_value',
      `Invalid value for '${param}': no signing secret is configured for this tenant, and unsigned webhooks are not sent. Make an endpoint with POST /v1/webhook_endpoints, which has a secret of its own.`,
      { param },
    );
}
