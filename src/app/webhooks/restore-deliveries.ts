import type { StoredDelivery, StoredEvent } from '../../contract/stored-webhooks.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { isTenant, keys } from '../../domain/object-keys.js';
import type { ObjectInfo } from '../../ports/object-store.js';
import { listAll } from '../list-all.js';
import { sideBySide } from '../side-by-side.js';
import type { LostJobs } from '../sweep/lost-jobs.js';
import type { World } from '../world.js';
import { findEvent, loadDelivery } from './event-records.js';
import { deliveryJobs } from './publish-event.js';

/** A notice without an event behind it is left for this long: its publication may still be under way. */
const orphanNoticeMs = 3600 * 1000;
/** A delivery that is due and shows nothing new is looked at this often. */
const requeueMs = 30_000;

interface Look {
  /** Of the notice when it was looked at; a replay writes it anew. */
  readonly modifiedMs: number;
  readonly nextMs: number;
}

/**
 * The janitor's part in deliveries. Each event that is still to be told has a notice:
 *
 *     state found                            action
 *     notice, no event                       after an hour: remove the notice
 *     a delivery is pending                  queue it for its time unless it is queued, and look again then
 *     a replay was asked for                 queue it now
 *     every delivery has ended               remove the notice
 */
export class DeliveryKeeper {
  readonly #world: Pick<World, 'store' | 'clock' | 'log'>;
  /** When each notice is to be looked at again, so that an endpoint that fails for days does not cost reads at every sweep. */
  readonly #looks = new Map<string, Look>();

  constructor(world: Pick<World, 'store' | 'clock' | 'log'>) {
    this.#world = world;
  }

  async sweep(lost: LostJobs): Promise<void> {
    const present = new Set<string>();
    await sideBySide(listAll(this.#world.store, keys.pendingNotices), bounds.storeReadsAtOnce, (notice) => {
      present.add(notice.key);
      return this.#look(notice, lost);
    });
    for (const key of this.#looks.keys()) if (!present.has(key)) this.#looks.delete(key);
  }

  async #look(notice: ObjectInfo, lost: LostJobs): Promise<void> {
    const [tenant = '', eventId = '', more] = notice.key.slice(keys.pendingNotices.length).split('/');
    if (more !== undefined || !isTenant(tenant) || !isId('event', eventId)) return;
    const known = this.#looks.get(notice.key);
    if (known?.modifiedMs === notice.modifiedMs && this.#world.clock.now() < known.nextMs) return;
    try {
      const nextMs = await this.#restore(notice, tenant, eventId, lost);
      if (nextMs === null) this.#looks.delete(notice.key);
      else this.#looks.set(notice.key, { modifiedMs: notice.modifiedMs, nextMs });
    } catch (error) {
      this.#world.log.warn('janitor.event_failed', { tenant, eventId, code: errorCode(error) });
    }
  }

  /** Returns when to look again; null: at the next sweep. */
  async #restore(notice: ObjectInfo, tenant: string, eventId: string, lost: LostJobs): Promise<number | null> {
    const { store, clock } = this.#world;
    const event = await findEvent(store, tenant, eventId);
    if (!event) {
      if (clock.now() - notice.modifiedMs > orphanNoticeMs) await store.delete(notice.key);
      return null;
    }
    const pending = await this.#pendingOf(event);
    if (pending.length === 0) {
      await store.delete(notice.key);
      // A replay that was asked for between the two reads put its notice back before it was deleted.
      if ((await this.#pendingOf(event)).length > 0) await store.put(notice.key, Buffer.of());
      return null;
    }
    await lost.restore('deliver', deliveryJobs(this.#world, event, pending));
    const now = clock.now();
    return Math.min(...pending.map(({ nextMs }) => (nextMs !== null && nextMs > now ? nextMs : now + requeueMs)));
  }

  async #pendingOf(event: StoredEvent): Promise<StoredDelivery[]> {
    const deliveries = await Promise.all(
      event.receivers.map((receiver) => loadDelivery(this.#world.store, event, receiver)),
    );
    const page = await this.#world.store.list(keys.webhookReplaysOfEvent(event.tenant, event.id));
    const replayed = new Set(page.objects.map(({ key }) => key.split('/').at(-2)));
    return deliveries.flatMap((delivery) => {
      if (replayed.has(delivery.receiverId)) return [{ ...delivery, nextMs: null }];
      return delivery.state === 'pending' ? [delivery] : [];
    });
  }
}
