import type { SigningSecret, StoredEndpoint } from '../../contract/stored-webhooks.js';
import type { NewWebhookEndpointObject } from '../../contract/webhook-endpoint-object.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { changeEndpoint } from './endpoint-revisions.js';
import { newSecret, requireSealer, signingNow } from './endpoint-secrets.js';
import { toEndpointObject } from './view-endpoint.js';

/** The earlier secrets with their end; none of them lives longer than it was given before. */
function endingBy(secrets: readonly SigningSecret[], endsMs: number, nowMs: number): SigningSecret[] {
  return secrets
    .map((secret) => ({ ...secret, endsMs: Math.min(secret.endsMs ?? Infinity, endsMs) }))
    .filter((secret) => secret.endsMs > nowMs);
}

/**
 * Gives an endpoint a new secret, shown in the answer alone. The earlier ones sign beside it for `overlapSeconds` more, so that
 * its receiver can change over in between. Throws `not_found`.
 */
export async function rotateSecret(
  world: World,
  tenant: string,
  endpointId: string,
  overlapSeconds: number,
): Promise<NewWebhookEndpointObject> {
  requireSealer(world);
  const nowMs = world.clock.now();
  const { text, kept } = newSecret(world, tenant, endpointId);
  const endpoint = await changeEndpoint<StoredEndpoint>(world.store, tenant, endpointId, (now) => {
    const earlier = endingBy(signingNow(now, nowMs), nowMs + overlapSeconds * 1000, nowMs);
    if (earlier.length >= bounds.webhookSecretsMax)
      throw new EyrieError(
        'invalid_value',
        `${earlier.length} earlier secrets still sign, and no more are allowed. Wait until one has ended, or set previous_expires_after to 0.`,
        { param: 'previous_expires_after' },
      );
    return { ...now, secrets: [kept, ...earlier], updatedMs: nowMs };
  });
  world.log.info('webhook_endpoint.secret_rotated', { tenant, endpointId });
  return { ...toEndpointObject(endpoint, nowMs), secret: text };
}
