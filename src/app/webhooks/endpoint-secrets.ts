import type { SigningSecret, StoredEndpoint } from '../../contract/stored-webhooks.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { toWebhookSecret } from '../../domain/webhook-signature.js';
import type { World } from '../world.js';

/** A sealed secret opens for its own endpoint alone. */
const contextOf = (tenant: string, endpointId: string): string => `${tenant}/${endpointId}`;

/** Throws `unsupported_value` when this installation cannot keep secrets. */
export function requireSealer({ sealer }: Pick<World, 'sealer'>): void {
  if (!sealer.ready)
    throw new EyrieError(
      'unsupported_value',
      'Webhook endpoints are not offered here: the operator has to set EYRIE_SEALING_KEYS, so that their secrets can be kept.',
    );
}

/** A new secret: its text, which is shown once, and the form in which it is kept. */
export function newSecret(
  world: Pick<World, 'ids' | 'sealer' | 'clock'>,
  tenant: string,
  endpointId: string,
): { readonly text: string; readonly kept: SigningSecret } {
  const text = toWebhookSecret(world.ids.secret(bounds.webhookSecretBytes));
  const sealed = world.sealer.seal(text, contextOf(tenant, endpointId));
  return { text, kept: { sealed, createdMs: world.clock.now(), endsMs: null } };
}

/** The secrets that sign at a time, the current one first. */
export const signingNow = (endpoint: StoredEndpoint, nowMs: number): SigningSecret[] =>
  endpoint.secrets.filter(({ endsMs }) => endsMs === null || endsMs > nowMs);

/** Texts of the secrets that sign now. One that does not open is left out; there may be none. */
export function openSecrets(
  world: Pick<World, 'sealer' | 'clock' | 'log'>,
  tenant: string,
  endpoint: StoredEndpoint,
): string[] {
  return signingNow(endpoint, world.clock.now()).flatMap(({ sealed }) => {
    const text = world.sealer.open(sealed, contextOf(tenant, endpoint.id));
    if (text !== null) return [text];
    world.log.error('webhook.secret_unreadable', { tenant, endpointId: endpoint.id, keyVersion: sealed.keyVersion });
    return [];
  });
}
