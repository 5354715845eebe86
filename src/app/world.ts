import type { Offer } from '../domain/offer.js';
import type { ServedModel } from '../domain/served-model.js';
import type { Clock } from '../ports/clock.js';
import type { EgressRules } from '../ports/egress-rules.js';
import type { Ids } from '../ports/ids.js';
import type { JobQueue } from '../ports/job-queue.js';
import type { LiveChannel } from '../ports/live-channel.js';
import type { Log } from '../ports/log.js';
import type { ObjectStore } from '../ports/object-store.js';
import type { ProgressBoard } from '../ports/progress-board.js';
import type { SecretSealer } from '../ports/secret-sealer.js';
import type { SharedState } from '../ports/shared-state.js';
import type { Tenants } from '../ports/tenants.js';
import { BatchRecords } from './batch-records.js';
import { Refusals } from './fair/refusals.js';
import { Claims } from './quotas/claims.js';
import { OpenBatches } from './quotas/open-batches.js';
import { PlannedLately } from './quotas/planned-lately.js';
import { QuickShared } from './quotas/quick-shared.js';
import { ResultsQuota } from './quotas/results-quota.js';
import { PendingEvents } from './webhooks/pending-events.js';

/**
 * All that the steps may touch. `app` has no other way to the world: no timer, date, random number, file or process of its own,
 * so that a simulation can stop it at every effect.
 */
export interface World {
  readonly store: ObjectStore;
  /** Over `store`. */
  readonly records: BatchRecords;
  /** Over `shared`, for calls that must not wait for it. One for all of them: each finds out by itself that it is away. */
  readonly quickShared: QuickShared;
  /** Over `quickShared`: limits on how many things a tenant may have. */
  readonly claims: Claims;
  /** Over `store`: what is known of tenants' open batches. */
  readonly openBatches: OpenBatches;
  /** Over `store` and `quickShared`. */
  readonly resultsQuota: ResultsQuota;
  /** Over `store`: how many events of tenants are still to be told. */
  readonly pendingEvents: PendingEvents;
  /** Over `quickShared`: tokens that were planned a moment ago. */
  readonly plannedLately: PlannedLately;
  /** What was refused because of a bound. */
  readonly refusals: Refusals;
  readonly queue: JobQueue;
  readonly progress: ProgressBoard;
  readonly live: LiveChannel;
  readonly shared: SharedState;
  readonly tenants: Tenants;
  readonly sealer: SecretSealer;
  readonly egress: EgressRules;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: ServedModel;
  readonly offer: Offer;
  /** Key of the derived ids; never changed, or repeated creates would make second batches. */
  readonly idSecret: string;
}

/** Adds what the steps keep beside the ports. */
export const toWorld = <
  Ports extends Omit<
    World,
    | 'records'
    | 'refusals'
    | 'quickShared'
    | 'claims'
    | 'openBatches'
    | 'plannedLately'
    | 'pendingEvents'
    | 'resultsQuota'
  >,
>(
  ports: Ports,
): Ports & World => {
  const quickShared = new QuickShared(ports);
  const refusals = new Refusals(ports);
  const records = new BatchRecords(ports.store, ports.clock);
  return {
    ...ports,
    records,
    refusals,
    quickShared,
    resultsQuota: new ResultsQuota({ ...ports, quickShared, refusals }),
    claims: new Claims({ clock: ports.clock, ids: ports.ids, quickShared }),
    plannedLately: new PlannedLately({ clock: ports.clock, ids: ports.ids, quickShared }),
    openBatches: new OpenBatches({ store: ports.store, clock: ports.clock, records }),
    pendingEvents: new PendingEvents(ports),
  };
};
