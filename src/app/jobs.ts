import type { PlannedShard } from '../contract/stored-objects.js';
import type { BatchJob, DeliveryJob, LiveJob, ShardJob } from '../contract/queue-payload.js';
import { priorityRest, shardPriority, type QueueOrder } from '../domain/shard-priority.js';
import type { Job } from '../ports/job-queue.js';

/** The jobs of a batch. Their ids follow from what they do, so that adding one twice is adding it once. */
const pointer = ({ tenant, batchId }: BatchJob): BatchJob => ({ tenant, batchId });

export const planJob = (batch: BatchJob): Job => ({ id: `plan-${batch.batchId}`, payload: pointer(batch) });

export const finishJob = (batch: BatchJob): Job => ({ id: `fin-${batch.batchId}`, payload: pointer(batch) });

export const shardJobId = ({ batchId }: BatchJob, n: number): string => `s-${batchId}-${n}`;

export const shardJobOf = (batch: BatchJob, order: QueueOrder, { n }: Pick<PlannedShard, 'n'>): Job => ({
  id: shardJobId(batch, n),
  payload: { ...pointer(batch), shard: n } satisfies ShardJob,
  priority: shardPriority(order, n),
  rest: priorityRest(order, n),
});

export const liveJobOf = ({ tenant, callId }: LiveJob): Job => ({
  id: `live-${callId}`,
  payload: { tenant, callId } satisfies LiveJob,
});

/** `weight`: of the tenant, whose deliveries take turns with those of others. */
export const deliveryJobOf = (
  { tenant, eventId, receiverId, attempt }: DeliveryJob,
  weight: number,
  delayMs = 0,
): Job => ({
  id: `d-${eventId}-${receiverId}-${attempt}`,
  payload: { tenant, eventId, receiverId, attempt } satisfies DeliveryJob,
  ...(delayMs > 0 ? { delayMs } : { flow: { tenant, cost: 1, weight } }),
});
