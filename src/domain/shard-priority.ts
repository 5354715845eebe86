import { bounds } from './bounds.js';

/**
 * The order of shards: a self-clocked fair queue. Every batch is a flow of shards with virtual times, one stride apart, and the queue
 * gives out the lowest time first. Its clock is the highest time that it ever gave out; it never goes back. The first shard of a new
 * batch gets the clock's time plus one stride, as if the batch had just had a turn. So a small batch does not wait behind a large one
 * that came earlier, and no stream of small ones keeps a large one from its end.
 *
 * Why plus one stride (the end of a turn, not its start): were a first shard due at the clock itself, every batch would have one shard
 * done at once, a background batch too, and a tenant that sends many batches of one shard would always be first. With the stride,
 * batches of one shard that are sent one after the other get what one batch of that many shards gets.
 *
 * The stride is the inverse of a batch's share:
 *
 *     priority p        each step up halves the stride
 *     deadline          due in an hour: 24 times the share of what is due in a day, 64 times at most
 *     tenant's batches  the n-th open batch of a tenant gets an n-th of the share, so that many batches gain little. Sent at the same
 *                       moment, they have their first shards one after the other, a stride of a lone batch apart
 *
 * Why float64 is enough. Strides go from 2^-12 (priority 10, overdue) to 2^20 (priority -10, the 64th batch of its tenant): a ratio of
 * 2^32. One shard moves the clock by less than 2^24 (the first shard of the 1000th batch of a tenant, priority -10). A queue that does
 * nothing else, 100 shards a second, for ten years (3.2e10 shards) ends below 2^59, where neighbouring float64 are 64 apart. A priority
 * alone would no longer tell the shards of an urgent batch apart, so a job carries what rounding took from its priority as well
 * (`priorityRest`). The two together are exact but for the product of stride and number, wrong by 2e-12 of the batch's own stride at
 * most. What is rounded for good is only where a batch starts: by two spacings at most, which is 128 or eight shards of a plain batch
 * after those ten years, and 1e-3 after ten years of plain batches.
 */
export interface QueueOrder {
  /** Virtual time of the queue when the batch came, and the step to its first shard and from one shard to the next. */
  readonly start: number;
  readonly stride: number;
}

/** Stride of a batch of priority 0 that is due in a day. Never changed: it is the unit of all plans that are stored. */
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
  /** Which of the tenant's open batches this is: 1 for the only one. */
  readonly tenantBatches: number;
  /** The queue's clock; null for a queue that never gave out anything. */
  readonly clock: number | null;
}

export function queueOrder({ priority, secondsLeft, tenantBatches, clock }: Urgency): QueueOrder {
  const due = Math.min(1, Math.max(1 / dueMax, secondsLeft / daySeconds));
  const nth = Math.min(bounds.crowdCountedMax, Math.max(1, tenantBatches));
  const crowd = Math.min(bounds.crowdMax, nth);
  const alone = plainStride * due * 2 ** -priority;
  // The clock is known to one spacing of its numbers: rounded up, no new batch gets in before what was given out.
  const reached = (clock ?? 0) * (1 + Number.EPSILON);
  return { start: reached + alone * (nth - crowd), stride: alone * crowd };
}

/** Virtual time of a batch's shard. */
export const virtualTime = ({ start, stride }: QueueOrder, shard: number): number => start + stride * (shard + 1);

/** Queue priority of a batch's shard, lower first. */
export const shardPriority = virtualTime;

/** What rounding took from `shardPriority`; it orders shards of equal priority. The error of a sum is itself a float64 (Knuth). */
export function priorityRest({ start, stride }: QueueOrder, shard: number): number {
  const step = stride * (shard + 1);
  const sum = start + step;
  const added = sum - start;
  return start - (sum - added) + (step - added);
}

/**
 * The order by which a shard is queued now, as the `rank`-th (from 0) of those of its batch that are: by the plan, but not earlier than
 * if the batch came now. Time in which a batch was not in the queue gives it no claim on others: after a loss of Redis, batches come
 * back one by one, and the first ones may have moved the clock.
 */
export function orderNow(order: QueueOrder, shard: number, rank: number, clock: number): QueueOrder {
  const start = clock * (1 + Number.EPSILON) - order.stride * (shard - rank);
  return start > order.start ? { start, stride: order.stride } : order;
}
