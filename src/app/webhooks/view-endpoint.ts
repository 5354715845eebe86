import type { StoredEndpoint } from '../../contract/stored-webhooks.js';
import type { WebhookEndpointObject } from '../../contract/webhook-endpoint-object.js';
import { signingNow } from './endpoint-secrets.js';

const toSeconds = (ms: number): number => Math.floor(ms / 1000);

export function toEndpointObject(endpoint: StoredEndpoint, nowMs: number): WebhookEndpointObject {
  const ends = signingNow(endpoint, nowMs).flatMap(({ endsMs }) => (endsMs === null ? [] : [endsMs]));
  return {
    id: endpoint.id,
    object: 'webhook_endpoint',
    url: endpoint.url,
    description: endpoint.description,
    events: endpoint.events,
    enabled: endpoint.disabled === null,
    disabled_reason: endpoint.disabled,
    previous_secret_expires_at: ends.length === 0 ? null : toSeconds(Math.max(...ends)),
    created_at: toSeconds(endpoint.createdMs),
    updated_at: toSeconds(endpoint.updatedMs),
  };
}
