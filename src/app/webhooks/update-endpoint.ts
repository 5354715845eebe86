import type { StoredEndpoint } from '../../contract/stored-webhooks.js';
import type { UpdateWebhookEndpointRequest, WebhookEndpointObject } from '../../contract/webhook-endpoint-object.js';
import { keys } from '../../domain/object-keys.js';
import type { FairShare } from '../fair/fair-share.js';
import type { World } from '../world.js';
import { checkTarget } from './check-target.js';
import { changeEndpoint, loadEndpoint } from './endpoint-revisions.js';
import { toEndpointObject } from './view-endpoint.js';

/** Changes what the request names and leaves the rest. Throws `not_found`. */
export async function updateEndpoint(
  world: World,
  tenant: string,
  endpointId: string,
  request: UpdateWebhookEndpointRequest,
  changes: Pick<FairShare, 'run'>,
): Promise<WebhookEndpointObject> {
  await loadEndpoint(world.store, tenant, endpointId);
  if (request.url !== undefined) await checkTarget(world, tenant, request.url, 'url');
  return changes.run(tenant, () => change(world, tenant, endpointId, request));
}

async function change(
  world: World,
  tenant: string,
  endpointId: string,
  request: UpdateWebhookEndpointRequest,
): Promise<WebhookEndpointObject> {
  const updatedMs = world.clock.now();
  const endpoint = await changeEndpoint<StoredEndpoint>(world.store, tenant, endpointId, (now) => ({
    ...now,
    url: request.url ?? now.url,
    events: request.events ?? now.events,
    description: request.description === undefined ? now.description : request.description || null,
    disabled: toDisabled(now, request.enabled),
    updatedMs,
  }));
  // It is given all its days again.
  if (request.enabled === true) await world.store.delete(keys.webhookEndpointFailing(tenant, endpointId));
  world.log.info('webhook_endpoint.updated', { tenant, endpointId, enabled: endpoint.disabled === null });
  return toEndpointObject(endpoint, updatedMs);
}

/** Why it was disabled before stays, when it is to stay disabled. */
function toDisabled(now: StoredEndpoint, enabled: boolean | undefined): StoredEndpoint['disabled'] {
  if (enabled === undefined) return now.disabled;
  return enabled ? null : (now.disabled ?? 'request');
}

/** What the service does itself when an endpoint is gone for good or fails for days. Nothing when it is deleted meanwhile. */
export async function disableEndpoint(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  endpointId: string,
  reason: 'gone' | 'failing',
): Promise<void> {
  await changeEndpoint<StoredEndpoint>(world.store, tenant, endpointId, (now) =>
    now.disabled === null ? { ...now, disabled: reason, updatedMs: world.clock.now() } : null,
  );
  world.log.warn('webhook_endpoint.disabled', { tenant, endpointId, reason });
}
