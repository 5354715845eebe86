import {
  deliveryObject,
  type DeliveryObject,
  type ManifestObject,
  type SubmitObject,
} from '../contract/stored-objects.js';
import { keys } from '../domain/object-keys.js';
import { getJson, putJson } from './stored-json.js';
import type { World } from './world.js';

/** The copy of a bucket drop's results into the outbox is delivered like a webhook, under this endpoint id. */
export const outboxEndpoint = 'outbox';

/** Everyone who is to be told of a batch's end, by endpoint id. */
export const receiversOf = (submit: SubmitObject): string[] => [
  ...submit.webhooks.map(({ id }) => id),
  ...(submit.outboxName === null ? [] : [outboxEndpoint]),
];

type Stored = Pick<World, 'store'>;

const keyOf = (submit: SubmitObject, manifest: ManifestObject, endpointId: string): string =>
  keys.delivery(submit.tenant, submit.batchId, manifest.eventId, endpointId);

/** How far the delivery to one endpoint has come; an untried one has no attempts. */
export async function loadDelivery(
  { store }: Stored,
  submit: SubmitObject,
  manifest: ManifestObject,
  endpointId: string,
): Promise<DeliveryObject> {
  const stored = await getJson(store, keyOf(submit, manifest, endpointId), deliveryObject);
  return stored ?? { v: 1, state: 'pending', attempts: [], nextMs: null };
}

/** Records the delivery, and removes the batch's notice once nobody is left to be told. */
export async function recordDelivery(
  world: Stored,
  submit: SubmitObject,
  manifest: ManifestObject,
  endpointId: string,
  delivery: DeliveryObject,
): Promise<void> {
  await putJson(world.store, keyOf(submit, manifest, endpointId), delivery);
  if (delivery.state === 'pending') return;
  const others = receiversOf(submit).filter((id) => id !== endpointId);
  const states = await Promise.all(others.map((id) => loadDelivery(world, submit, manifest, id)));
  if (states.every(({ state }) => state !== 'pending'))
    await world.store.delete(keys.pendingNotice(submit.tenant, submit.batchId));
}
