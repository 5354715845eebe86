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

/** A tenant's part of one sweep. */
interface Turn {
  looked: number;
  readonly after: string;
  ended: boolean;
}

interface Restored {
  /** When to look again; null: at the next sweep. */
  readonly nextMs: number | null;
  /** Deliveries that were read. */
  readonly read: number;
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
  readonly #world: Pick<World, 'store' | 'clock' | 'log' | 'tenants'>;
  /** When each notice is to be looked at again, so that an endpoint that fails for days does not cost reads at every sweep. */
  readonly #looks = new Map<string, Look>();
  /** Last notice that was looked at of tenants whose turn ended before they were through: the next sweep goes on after it. */
  readonly #reached = new Map<string, string>();

  constructor(world: Pick<World, 'store' | 'clock' | 'log' | 'tenants'>) {
    this.#world = world;
  }

  async sweep(lost: LostJobs): Promise<void> {
    const present = new Set<string>();
    const turns = new Map<string, Turn>();
    await sideBySide(listAll(this.#world.store, keys.pendingNotices), bounds.storeReadsAtOnce, async (notice) => {
      present.add(notice.key);
      const tenant = notice.key.slice(keys.pendingNotices.length).split('/', 1)[0] ?? '';
      const turn = turns.get(tenant) ?? { looked: 0, after: this.#reached.get(tenant) ?? '', ended: false };
      turns.set(tenant, turn);
      if (turn.ended || notice.key <= turn.after) return;
      if (turn.looked >= bounds.deliveriesPerSweep) {
        turn.ended = true;
        return;
      }
      this.#reached.set(tenant, notice.key);
      const read = await this.#look(notice, lost);
      turn.looked += read;
    });
    for (const key of this.#looks.keys()) if (!present.has(key)) this.#looks.delete(key);
    for (const tenant of this.#reached.keys()) if (turns.get(tenant)?.ended !== true) this.#reached.delete(tenant);
  }

  /** Returns how many deliveries were read. */
  async #look(notice: ObjectInfo, lost: LostJobs): Promise<number> {
    const [tenant = '', eventId = '', more] = notice.key.slice(keys.pendingNotices.length).split('/');
    if (more !== undefined || !isTenant(tenant) || !isId('event', eventId)) return 0;
    const known = this.#looks.get(notice.key);
    if (known?.modifiedMs === notice.modifiedMs && this.#world.clock.now() < known.nextMs) return 0;
    try {
      const { nextMs, read } = await this.#restore(notice, tenant, eventId, lost);
      if (nextMs === null) this.#looks.delete(notice.key);
      else this.#looks.set(notice.key, { modifiedMs: notice.modifiedMs, nextMs });
      return read;
    } catch (error) {
      this.#world.log.warn('janitor.event_failed', { tenant, eventId, code: errorCode(error) });
      return 1;
    }
  }

  async #restore(notice: ObjectInfo, tenant: string, eventId: string, lost: LostJobs): Promise<Restored> {
    const { store, clock } = this.#world;
    const event = await findEvent(store, tenant, eventId);
    if (!event) {
      if (clock.now() - notice.modifiedMs > orphanNoticeMs) await store.delete(notice.key);
      return { nextMs: null, read: 1 };
    }
    const read = event.receivers.length;
    const pending = await this.#pendingOf(event);
    if (pending.length === 0) {
      await store.delete(notice.key);
      // A replay that was asked for between the two reads put its notice back before it was deleted.
      if ((await this.#pendingOf(event)).length > 0) await store.put(notice.key, Buffer.of());
      return { nextMs: null, read };
    }
    await lost.restore('deliver', deliveryJobs(this.#world, event, pending));
    const now = clock.now();
    const looks = pending.map(({ nextMs }) => (nextMs !== null && nextMs > now ? nextMs : now + requeueMs));
    return { nextMs: Math.min(...looks), read };
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
