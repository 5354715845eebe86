import type { StoredDelivery, StoredEvent } from '../../contract/stored-webhooks.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectInfo } from '../../ports/object-store.js';
import type { FairShare } from '../fair/fair-share.js';
import { sideBySide } from '../side-by-side.js';
import { sweepShare, tenantsBelow } from '../sweep/by-tenant.js';
import type { LostJobs } from '../sweep/lost-jobs.js';
import { SweepTurns } from '../sweep/sweep-turns.js';
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
  /** The last one that met the notice. */
  sweep: number;
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
 *     a delivery is due soon                 queue it for its time unless it is queued, and look again then
 *     a delivery is due later                look again when it is due soon
 *     a replay was asked for                 queue it now
 *     every delivery has ended               remove the notice
 *
 * Of each tenant a sweep lists a bounded number of notices and reads a bounded number of deliveries; the next one goes on after them.
 */
export class DeliveryKeeper {
  readonly #world: Pick<World, 'store' | 'clock' | 'log' | 'tenants'>;
  /** When each notice is to be looked at again, so that an endpoint that fails for days does not cost reads at every sweep. */
  readonly #looks = new Map<string, Look>();
  readonly #turns = new SweepTurns(bounds.deliveriesPerSweep);
  /** Where the notices of the next sweep begin, of tenants with more than one lists. */
  readonly #listed = new Map<string, string>();
  #sweep = 0;

  constructor(world: Pick<World, 'store' | 'clock' | 'log' | 'tenants'>) {
    this.#world = world;
  }

  async sweep(lost: LostJobs): Promise<void> {
    this.#sweep++;
    this.#turns.begin();
    const { store, tenants } = this.#world;
    const share = sweepShare(tenants);
    await sideBySide(tenantsBelow(store, keys.pendingNotices), bounds.storeReadsAtOnce, (tenant) =>
      this.#sweepTenant(tenant, lost, share),
    );
    for (const [key, { sweep }] of this.#looks) if (sweep !== this.#sweep) this.#looks.delete(key);
  }

  async #sweepTenant(tenant: string, lost: LostJobs, share: FairShare): Promise<void> {
    let after = this.#listed.get(tenant) ?? null;
    for (let met = 0; met < bounds.noticesPerSweep;) {
      const prefix = keys.pendingNoticesOf(tenant);
      const page = await this.#world.store.list(prefix, after === null ? {} : { after });
      await sideBySide(page.objects, bounds.sweepStepsPerTenant, async (notice) => {
        if (!this.#isDue(notice) || !this.#turns.admits(tenant, notice.key)) return;
        await share.run(tenant, async () => this.#turns.used(tenant, await this.#look(notice, tenant, lost)));
      });
      after = page.next;
      met += page.objects.length;
      if (after === null) break;
    }
    if (this.#turns.hasMore(tenant)) return;
    if (after === null) this.#listed.delete(tenant);
    else this.#listed.set(tenant, after);
  }

  #isDue({ key, modifiedMs }: ObjectInfo): boolean {
    const known = this.#looks.get(key);
    if (!known) return true;
    known.sweep = this.#sweep;
    return known.modifiedMs !== modifiedMs || this.#world.clock.now() >= known.nextMs;
  }

  /** Returns how many deliveries were read. */
  async #look(notice: ObjectInfo, tenant: string, lost: LostJobs): Promise<number> {
    const eventId = notice.key.slice(keys.pendingNotice(tenant, '').length);
    if (!isId('event', eventId)) return 0;
    try {
      const { nextMs, read } = await this.#restore(notice, tenant, eventId, lost);
      if (nextMs === null) this.#looks.delete(notice.key);
      else this.#looks.set(notice.key, { modifiedMs: notice.modifiedMs, nextMs, sweep: this.#sweep });
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
    const jobs = deliveryJobs(this.#world, event, pending);
    if (jobs.length > 0) await lost.restore('deliver', jobs);
    const now = clock.now();
    const looks = pending.map(({ nextMs }) => {
      if (nextMs === null || nextMs <= now) return now + requeueMs;
      return nextMs > now + bounds.webhookQueuedAheadMs ? nextMs - bounds.webhookQueuedAheadMs : nextMs;
    });
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
