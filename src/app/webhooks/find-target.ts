import { submitObject, type ManifestObject, type SubmitObject } from '../../contract/stored-objects.js';
import type { Receiver, StoredEvent } from '../../contract/stored-webhooks.js';
import { keys } from '../../domain/object-keys.js';
import { findManifest } from '../batch-records.js';
import { getJson } from '../stored-json.js';
import type { World } from '../world.js';
import { findEndpoint } from './endpoint-revisions.js';
import { openSecrets } from './endpoint-secrets.js';

/** What is to be done to tell a receiver, or why nothing will be done any more. */
export type Target =
  | {
      readonly kind: 'post';
      readonly url: string;
      readonly secrets: readonly string[];
      /** Whose health the answer tells; null: not an endpoint made through the API. */
      readonly endpointId: string | null;
    }
  | { readonly kind: 'copy'; readonly submit: SubmitObject; readonly manifest: ManifestObject }
  | { readonly kind: 'none'; readonly reason: string };

const none = (reason: string): Target => ({ kind: 'none', reason });

type Reader = Pick<World, 'store' | 'tenants' | 'sealer' | 'clock' | 'log'>;

async function ofEndpoint(world: Reader, { tenant, test }: StoredEvent, endpointId: string): Promise<Target> {
  const endpoint = await findEndpoint(world.store, tenant, endpointId);
  if (!endpoint) return none('the endpoint was deleted');
  if (endpoint.disabled !== null && !test) return none('the endpoint is disabled');
  return { kind: 'post', url: endpoint.url, secrets: openSecrets(world, tenant, endpoint), endpointId };
}

async function ofConfigured(world: Reader, { tenant }: StoredEvent, id: string): Promise<Target> {
  const configured = (await world.tenants.webhookEndpoints(tenant)).find((known) => known.id === id);
  if (!configured) return none('the endpoint was removed from the configuration');
  return {
    kind: 'post',
    url: configured.url,
    secrets: await world.tenants.signingSecrets(tenant),
    endpointId: null,
  };
}

async function ofOutbox({ store }: Reader, { tenant, batchId }: StoredEvent): Promise<Target> {
  const [submit, manifest, deleted] = await Promise.all([
    getJson(store, keys.submit(tenant, batchId ?? ''), submitObject),
    findManifest(store, tenant, batchId ?? ''),
    store.head(keys.batchDeleted(tenant, batchId ?? '')),
  ]);
  return submit && manifest && !deleted ? { kind: 'copy', submit, manifest } : none('the batch was deleted');
}

/** Where an event goes and what signs it, as it stands at this attempt: a changed URL or a rotated secret counts at once. */
export async function findTarget(world: Reader, event: StoredEvent, receiver: Receiver): Promise<Target> {
  if (receiver.kind === 'endpoint') return ofEndpoint(world, event, receiver.id);
  if (receiver.kind === 'configured') return ofConfigured(world, event, receiver.id);
  if (receiver.kind === 'outbox') return ofOutbox(world, event);
  const secrets = await world.tenants.signingSecrets(event.tenant);
  return { kind: 'post', url: receiver.url, secrets, endpointId: null };
}
