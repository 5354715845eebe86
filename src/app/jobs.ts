import type { PlannedShard } from '../contract/stored-objects.js';
import type { BatchJob, DeliveryJob, LiveJob, ShardJob } from '../contract/queue-payload.js';
import { priorityRest, shardPriority, type QueueOrder } from '../domain/shard-priority.js';
import type { Job } from '../ports/job-queue.js';
import type { World } from './world.js';

/** The jobs of a batch. Their ids follow from what they do, so that adding one twice is adding it once. */
const pointer = ({ tenant, batchId }: BatchJob): BatchJob => ({ tenant, batchId });

export const planJobId = ({ batchId }: BatchJob): string => `plan-${batchId}`;

/** A plan costs what reading its input costs; unknown ones count as a megabyte. */
export const planJob = (batch: BatchJob, { tenants }: Pick<World, 'tenants'>, inputBytes = 2 ** 20): Job => ({
  id: planJobId(batch),
  payload: pointer(batch),
  flow: {
    tenant: batch.tenant,
    cost: Math.max(1, Math.ceil(inputBytes / 2 ** 16)),
    weight: tenants.weight(batch.tenant),
  },
});

export const finishJob = (batch: BatchJob, { tenants }: Pick<World, 'tenants'>): Job => ({
  id: `fin-${batch.batchId}`,
  payload: pointer(batch),
  flow: { tenant: batch.tenant, cost: 1, weight: tenants.weight(batch.tenant) },
});

export const shardJobId = ({ batchId }: BatchJob, n: number): string => `s-${batchId}-${n}`;

export const shardJobOf = (batch: BatchJob, order: QueueOrder, { n }: Pick<PlannedShard, 'n'>): Job => ({
  id: shardJobId(batch, n),
  payload: { ...pointer(batch), shard: n } satisfies ShardJob,
  priority: shardPriority(order, n),
  rest: priorityRest(order, n),
});

export const liveJobId = ({ callId }: LiveJob): string => `live-${callId}`;

export const liveJobOf = ({ tenant, callId }: LiveJob, flow: NonNullable<Job['flow']>): Job => ({
  id: liveJobId({ tenant, callId }),
  payload: { tenant, callId } satisfies LiveJob,
  flow,
});

export const deliveryJobId = ({ eventId, receiverId, attempt }: Omit<DeliveryJob, 'tenant'>): string =>
  `d-${eventId}-${receiverId}-${attempt}`;

/** `weight`: of the tenant, whose deliveries take turns with those of others. */
export const deliveryJobOf = (
  { tenant, eventId, receiverId, attempt }: DeliveryJob,
  weight: number,
  delayMs = 0,
): Job => ({
  id: deliveryJobId({ eventId, receiverId, attempt }),
  payload: { tenant, eventId, receiverId, attempt } satisfies DeliveryJob,
  ...(delayMs > 0 ? { delayMs } : { flow: { tenant, cost: 1, weight } }),
});
