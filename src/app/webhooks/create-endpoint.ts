import type { StoredEndpoint } from '../../contract/stored-webhooks.js';
import type { CreateWebhookEndpointRequest, NewWebhookEndpointObject } from '../../contract/webhook-endpoint-object.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { World } from '../world.js';
import { checkTarget } from './check-target.js';
import { listRevisions, writeRevision } from './endpoint-revisions.js';
import { newSecret, openSecrets, requireSealer } from './endpoint-secrets.js';
import { toEndpointObject } from './view-endpoint.js';

/** No change of an endpoint takes so long that it could still follow a revision below a tombstone this old. */
const tombstoneMs = 24 * 3600 * 1000;

export interface CreateEndpoint {
  readonly tenant: string;
  readonly request: CreateWebhookEndpointRequest;
  /** Above 0 the client repeats a call whose answer it did not see. */
  readonly retryCount: number;
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
export async function createEndpoint(
  world: World,
  { tenant, request, retryCount }: CreateEndpoint,
): Promise<NewWebhookEndpointObject> {
  requireSealer(world);
  await checkTarget(world, tenant, request.url, 'url');
  const { store, clock } = world;
  const now = clock.now();
  const present: StoredEndpoint[] = [];
  for (const revision of await listRevisions(store, tenant))
    if (revision.deletedMs === null) present.push(revision);
    else if (now - revision.deletedMs > tombstoneMs)
      await store.delete(keys.webhookEndpointRevision(tenant, revision.id, revision.revision));
  const earlier =
    retryCount > 0
      ? present.find((known) => isSame(known, request) && now - known.createdMs < bounds.webhookCreateRetryMs)
      : undefined;
  const [secret] = earlier ? openSecrets(world, tenant, earlier) : [];
  if (earlier && secret !== undefined) return { ...toEndpointObject(earlier, now), secret };
  if (present.length >= bounds.webhookEndpointsMax)
    throw new EyrieError(
      'invalid_value',
      `There are ${present.length} webhook endpoints, and at most ${bounds.webhookEndpointsMax} are allowed. Delete one that is not used any more.`,
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
  world.log.info('webhook_endpoint.created', { tenant, endpointId: id, events: endpoint.events.join(' ') });
  return { ...toEndpointObject(endpoint, now), secret: text };
}
