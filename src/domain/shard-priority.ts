import { bounds } from './bounds.js';

/**
 * The order of shards, a fair queue without a clock of its own. Every batch is a flow of shards with virtual times: its first one
 * gets the time of the shard that is next in the queue when the batch is planned, and each further one comes a stride later. So a
 * small batch does not wait behind a large one that came earlier, and no stream of small ones keeps a large one from its end.
 *
 * The stride is the inverse of a batch's share:
 *
 *     priority p        each step up halves the stride
 *     deadline          due in an hour: 24 times the share of what is due in a day
 *     tenant's batches  the n-th open batch of a tenant gets an n-th of the share, so that many batches gain little
 */
export interface QueueOrder {
  /** Virtual time of shard 0, and the step from one shard to the next. */
  readonly start: number;
  readonly stride: number;
}

/** Below is room for the interactive lane. */
const batchBase = 1000;
/** Highest number of the queue but one: that is for jobs without priority. */
const priorityMax = 2_097_150;
/** Stride of a batch of priority 0 that is due in a day: large enough to be divided a few times, small enough for 10,000 shards. */
const plainStride = 16;
const daySeconds = 86_400;
/** A deadline raises a share this many times at most. */
const dueMax = 64;

export const plainOrder: QueueOrder = Object.freeze({ start: 0, stride: plainStride });

export interface Urgency {
  /** -10..10. */
  readonly priority: number;
  /** Until the deadline, or the end of the completion window. */
  readonly secondsLeft: number;
  /** Open batches of the tenant, this one included. */
  readonly tenantBatches: number;
  /** Queue priority of the shard that is next; null when none waits. */
  readonly front: number | null;
}

export function queueOrder({ priority, secondsLeft, tenantBatches, front }: Urgency): QueueOrder {
  const due = Math.min(1, Math.max(1 / dueMax, secondsLeft / daySeconds));
  const crowd = Math.min(bounds.crowdMax, Math.max(1, tenantBatches));
  return { start: Math.max(0, (front ?? 0) - batchBase), stride: plainStride * crowd * due * 2 ** -priority };
}

export const virtualTime = ({ start, stride }: QueueOrder, shard: number): number => start + stride * shard;

/** Queue priority of a batch's shard, 1 to 2,097,150, lower first. */
export const shardPriority = (order: QueueOrder, shard: number): number =>
  Math.min(priorityMax, batchBase + Math.floor(virtualTime(order, shard)));
