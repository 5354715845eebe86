import { bounds } from '../domain/bounds.js';
import { Inbox } from './inbox/inbox.js';
import { WaitingLine } from './quotas/waiting-line.js';
import { sideBySide } from './side-by-side.js';
import { Lease } from './sweep/lease.js';
import type { World } from './world.js';

/**
 * Watches the inboxes by polling, in one process of the installation at a time. An object is taken once two looks in a row see it
 * unchanged, so that a file still being copied into a folder is left alone. Remembers what it took only to save reads: after a
 * restart, and in the next process to watch, everything is looked at again and nothing is done twice.
 */
export class InboxWatcher {
  readonly #world: World;
  readonly #lease: Lease;
  readonly #inboxes = new Map<string, Inbox>();
  /** Slow inboxes take turns beside the polls. */
  readonly #slow = new WaitingLine(bounds.inboxesSlowAtOnce);

  /** `pollMs`: the pause between two polls. */
  constructor(world: World, pollMs = 0) {
    this.#world = world;
    this.#lease = new Lease(world, 'inbox', pollMs);
  }

  /** One look at every inbox, unless another process looks. One that fails, or is slow, does not keep the others from their turn. */
  poll(): Promise<void> {
    return this.#lease.run(() => this.#poll());
  }

  /** Lets another process watch at once. */
  close(): Promise<void> {
    return this.#lease.release();
  }

  async #poll(): Promise<void> {
    const tenants = new Set(this.#world.tenants.inboxTenants());
    for (const tenant of this.#inboxes.keys()) if (!tenants.has(tenant)) this.#inboxes.delete(tenant);
    const share = Math.max(bounds.inboxRememberedMin, Math.floor(bounds.inboxRemembered / tenants.size));
    await sideBySide(tenants, bounds.inboxesAtOnce, async (tenant) => {
      const inbox = this.#inboxOf(tenant);
      if (inbox.isLooking) return;
      if (!inbox.isSlow) return inbox.lookInTime(share);
      void inbox.look(share, (look) => this.#slow.run('slow', look));
    });
  }

  #inboxOf(tenant: string): Inbox {
    let inbox = this.#inboxes.get(tenant);
    if (!inbox) {
      inbox = new Inbox(this.#world, tenant);
      this.#inboxes.set(tenant, inbox);
    }
    return inbox;
  }
}
