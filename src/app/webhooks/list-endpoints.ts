import { toListPage, type ListPage } from '../../contract/file-object.js';
import type { WebhookEndpointObject } from '../../contract/webhook-endpoint-object.js';
import { EyrieError } from '../../domain/errors.js';
import type { World } from '../world.js';
import { listEndpoints } from './endpoint-revisions.js';
import { toEndpointObject } from './view-endpoint.js';

/** A page of the tenant's endpoints, newest first. There are few, so all of them are read. Those of the tenants file are not among them. */
export async function pageOfEndpoints(
  world: Pick<World, 'store' | 'clock'>,
  tenant: string,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<ListPage<WebhookEndpointObject>> {
  const all = await listEndpoints(world.store, tenant);
  const at = after === null ? -1 : all.findIndex(({ id }) => id === after);
  if (after !== null && at === -1)
    throw new EyrieError(
      'invalid_value',
      `Invalid value for 'after': no webhook endpoint has the id '${after.slice(0, 80)}'.`,
      { param: 'after' },
    );
  const rest = all.slice(at + 1);
  const now = world.clock.now();
  return toListPage(
    rest.slice(0, limit).map((endpoint) => toEndpointObject(endpoint, now)),
    rest.length > limit,
  );
}
