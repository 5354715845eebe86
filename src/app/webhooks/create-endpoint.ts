import type { EndpointRevision, StoredEndpoint } from '../../contract/stored-webhooks.js';
import type { CreateWebhookEndpointRequest, NewWebhookEndpointObject } from '../../contract/webhook-endpoint-object.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { FairShare } from '../fair/fair-share.js';
import type { World } from '../world.js';
import { checkTarget } from './check-target.js';
import { listRevisions, writeRevision } from './endpoint-revisions.js';
import { newSecret, openSecrets, requireSealer } from './endpoint-secrets.js';
import { toEndpointObject } from './view-endpoint.js';

export interface CreateEndpoint {
  readonly tenant: string;
  readonly request: CreateWebhookEndpointRequest;
  /** Above 0 the client repeats a call whose answer it did not see. */
  readonly retryCount: number;
  readonly changes: Pick<FairShare, 'run'>;
}

const isSame = (endpoint: StoredEndpoint, request: CreateWebhookEndpointRequest): boolean =>
  endpoint.revision === 1 &&
  endpoint.url === request.url &&
  endpoint.description === (request.description || null) &&
  endpoint.events.join() === request.events.join();

/**
 * Makes an endpoint for the tenant's events. Its secret is in the answer and nowhere else: the store keeps it sealed. A client's
 * automatic retry gets the endpoint of its first attempt, with its secret; two deliberate creations stay two.
 */
export async function createEndpoint(world: World, create: CreateEndpoint): Promise<NewWebhookEndpointObject> {
  requireSealer(world);
  await checkTarget(world, create.tenant, create.request.url, 'url');
  return create.changes.run(create.tenant, () => make(world, create));
}

async function make(world: World, { tenant, request, retryCount }: CreateEndpoint): Promise<NewWebhookEndpointObject> {
  const { store, clock } = world;
  const now = clock.now();
  const { present, tombstones } = await tidied(world, tenant, now);
  const earlier =
    retryCount > 0
      ? present.find((known) => isSame(known, request) && now - known.createdMs < bounds.webhookCreateRetryMs)
      : undefined;
  const [secret] = earlier ? openSecrets(world, tenant, earlier) : [];
  if (earlier && secret !== undefined) return { ...toEndpointObject(earlier, now), secret };
  if (present.length >= bounds.webhookEndpointsMax) throw tooMany(present.length);
  if (tombstones >= bounds.webhookTombstonesMax)
    throw new EyrieError(
      'rate_limit_exceeded',
      `${tombstones} webhook endpoints were deleted within the last hour, and at most ${bounds.webhookTombstonesMax} are allowed before another is made. Change endpoints with POST /v1/webhook_endpoints/{id} instead, or try again later.`,
      { bound: 'webhookTombstonesMax' },
    );
  const id = world.ids.next('endpoint');
  const { text, kept } = newSecret(world, tenant, id);
  const endpoint: StoredEndpoint = {
    v: 1,
    id,
    revision: 1,
    deletedMs: null,
    url: request.url,
    description: request.description || null,
    events: request.events,
    disabled: request.enabled ? null : 'request',
    secrets: [kept],
    createdMs: now,
    updatedMs: now,
  };
  await writeRevision(store, tenant, endpoint);
  // Another process may have made one as well since they were counted: then this one goes again, so that there are never more.
  const counted = (await listRevisions(store, tenant)).filter(({ deletedMs }) => deletedMs === null).length;
  if (counted > bounds.webhookEndpointsMax) {
    await store.delete(keys.webhookEndpointRevision(tenant, id, 1));
    throw tooMany(counted - 1);
  }
  world.log.info('webhook_endpoint.created', { tenant, endpointId: id, events: endpoint.events.join(' ') });
  return { ...toEndpointObject(endpoint, now), secret: text };
}

const tooMany = (count: number): EyrieError =>
  new EyrieError(
    'invalid_value',
    `There are ${count} webhook endpoints, and at most ${bounds.webhookEndpointsMax} are allowed. Delete one that is not used any more.`,
    { bound: 'webhookEndpointsMax' },
  );

/** The tenant's endpoints, and how many deleted ones are still remembered. Those that no change can follow any more are removed. */
async function tidied(
  { store }: Pick<World, 'store'>,
  tenant: string,
  now: number,
): Promise<{ present: StoredEndpoint[]; tombstones: number }> {
  const present: StoredEndpoint[] = [];
  const old: EndpointRevision[] = [];
  let tombstones = 0;
  for (const revision of await listRevisions(store, tenant))
    if (revision.deletedMs === null) present.push(revision);
    else if (now - revision.deletedMs > bounds.webhookTombstoneMs) old.push(revision);
    else tombstones++;
  await store.deleteMany(old.map(({ id, revision }) => keys.webhookEndpointRevision(tenant, id, revision)));
  return { present, tombstones };
}
