import { bounds } from '../../domain/bounds.js';
import { keys, type DueItem } from '../../domain/object-keys.js';
import { forgetEvent } from '../webhooks/forget-event.js';
import type { Removal, Remover } from './agenda.js';

/** Removes an event that no batch keeps, with its deliveries, once all its receivers were notified. */
export async function removeEvent({ store, clock }: Remover, { tenant, id }: DueItem): Promise<Removal> {
  if (await store.head(keys.pendingNotice(tenant, id))) return { againMs: clock.now() + bounds.removalRetryMs };
  await forgetEvent(store, tenant, id);
  return 'done';
}
