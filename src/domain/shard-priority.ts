/**
 * Queue priority of a batch's shard, 1 to 2,097,151, lower first. The shard's number is its batch's virtual time: every batch
 * gets its n-th shard done before any gets its (n+1)-th, so a small batch does not wait behind a large one that came earlier.
 * Below `batchBase` is room for the interactive lane.
 */
const batchBase = 1000;
const priorityMax = 2_097_151;

export const shardPriority = (shard: number): number => Math.min(priorityMax, batchBase + shard);
