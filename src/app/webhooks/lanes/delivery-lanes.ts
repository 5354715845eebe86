import type { DeliveryJob } from '../../../contract/queue-payload.js';
import type { Job } from '../../../ports/job-queue.js';
import type { ShareState } from '../../../ports/share-state.js';
import { deliveryJobOf } from '../../jobs.js';
import type { LaneRules } from './lane-rules.js';
import { TenantLanes } from './tenant-lanes.js';

/** Part of the free places that one tenant may take: however many hang, the next tenant finds a place. */
const freeShare = 0.125;

/** Not let in: `waits` until `takeNext` gives it, or `forgotten` (that one or an older one of its tenant) until a sweep brings it back. */
export type NotIn = 'waits' | 'forgotten' | 'under way';

/**
 * Shares a program's deliveries out among tenants, and a tenant's among its receivers. A delivery that finds no place steps aside:
 * its job ends, nothing of it is read, and it is queued again when there is room.
 */
export class DeliveryLanes {
  readonly #rules: LaneRules;
  readonly #weightOf: (tenant: string) => number;
  readonly #tenants = new Map<string, TenantLanes>();
  readonly #underWay = new Set<string>();

  constructor(rules: LaneRules, weightOf: (tenant: string) => number) {
    this.#rules = rules;
    this.#weightOf = weightOf;
  }

  /** What it gives when it lets in ends the delivery; it is passed how long that took. */
  enter(pointer: DeliveryJob): ((ms: number) => void) | NotIn {
    const { tenant, receiverId } = pointer;
    const job = this.#jobOf(pointer);
    if (this.#underWay.has(job.id)) return 'under way';
    const lanes = this.#lanesOf(tenant);
    if (!lanes.hasRoom(receiverId, this.#mostOf(tenant))) return this.remember(pointer) ? 'waits' : 'forgotten';
    const end = lanes.begin(receiverId, job.id);
    this.#underWay.add(job.id);
    return (ms) => {
      if (!this.#underWay.delete(job.id)) return;
      end(ms);
      if (lanes.empty) this.#tenants.delete(tenant);
    };
  }

  /** Lets a delivery wait. False: that one, or an older one of its tenant, is forgotten for it. */
  remember(pointer: DeliveryJob): boolean {
    return this.#lanesOf(pointer.tenant).remember(pointer.receiverId, this.#jobOf(pointer));
  }

  /** Takes out one delivery of each tenant that has one waiting, and room for it. */
  takeNext(): Job[] {
    const found: Job[] = [];
    for (const [tenant, lanes] of this.#tenants) {
      if (lanes.waiting === 0) continue;
      const job = lanes.takeNext(this.#mostOf(tenant));
      if (job) found.push(job);
    }
    return found;
  }

  state(): ShareState {
    let [waiting, most] = [0, 0];
    for (const lanes of this.#tenants.values()) {
      waiting += lanes.waiting;
      most = Math.max(most, lanes.active);
    }
    const active = this.#underWay.size;
    return { waiting, active, busiestShare: active === 0 ? 0 : most / active };
  }

  #jobOf(pointer: DeliveryJob): Job {
    return deliveryJobOf(pointer, this.#weightOf(pointer.tenant));
  }

  #lanesOf(tenant: string): TenantLanes {
    let lanes = this.#tenants.get(tenant);
    if (!lanes) this.#tenants.set(tenant, (lanes = new TenantLanes(this.#rules)));
    return lanes;
  }

  /** Places that the tenant may have now; one at least, while any is free. */
  #mostOf(tenant: string): number {
    const free = this.#rules.places - this.#underWay.size;
    if (free <= 0) return 0;
    return Math.max(1, Math.floor(Math.min(this.#rules.perTenant * this.#weightOf(tenant), free * freeShare)));
  }
}
