import type { EndpointRevision } from '../../contract/stored-webhooks.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { changeEndpoint } from './endpoint-revisions.js';

/** Deletes an endpoint with its secrets. What is still on its way to it is given up. Throws `not_found`. */
export async function deleteEndpoint(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  endpointId: string,
): Promise<void> {
  const deletedMs = world.clock.now();
  await changeEndpoint<Extract<EndpointRevision, { deletedMs: number }>>(world.store, tenant, endpointId, ({ id }) => ({
    v: 1,
    id,
    deletedMs,
  }));
  await world.store.delete(keys.webhookEndpointFailing(tenant, endpointId));
  world.log.info('webhook_endpoint.deleted', { tenant, endpointId });
}
