import type { BatchJob } from '../../contract/queue-payload.js';
import { loadSubmit } from '../batch-records.js';
import type { TenantLanes } from '../fair/tenant-lanes.js';
import { planJob } from '../jobs.js';
import type { Planner } from '../plan-batch.js';
import { planWithinBounds } from './plan-within-bounds.js';

/** undefined: not known, and no reason to fail here. */
const inputBytes = ({ store }: Planner, { tenant, batchId }: BatchJob): Promise<number | undefined> =>
  loadSubmit(store, tenant, batchId).then(
    ({ input }) => input?.bytes,
    () => undefined,
  );

/** Plans a batch when its tenant has not its part of the places already; else the plan comes again once one of them is free. */
export async function planInLanes(world: Planner, lanes: TenantLanes, batch: BatchJob, stalls: number): Promise<void> {
  const { tenant } = batch;
  // Only one that has to wait is asked for its size: small ones go first.
  const job = lanes.hasRoom(tenant) ? planJob(batch, world) : planJob(batch, world, await inputBytes(world, batch));
  if (!lanes.enter(tenant, job)) return;
  try {
    await planWithinBounds(world, batch, stalls);
  } finally {
    const next = lanes.leave(tenant);
    if (next) await world.queue.add('plan', [next]);
  }
}
