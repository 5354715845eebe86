import { z } from 'zod';
import { isId } from '../domain/ids.js';
import { isReceiverId, isTenant } from '../domain/object-keys.js';

/** Job payloads hold pointers, never prompts. They come from Redis, which is not trusted: each is parsed before use. */
const batchPointer = {
  tenant: z.string().refine(isTenant),
  batchId: z.string().refine((id) => isId('batch', id)),
};

export const batchJob = z.strictObject(batchPointer);
export const shardJob = z.strictObject({ ...batchPointer, shard: z.number().int().min(0) });
/** The next attempt to tell one receiver of an event; `attempt` counts those that were made before. */
export const deliveryJob = z.strictObject({
  tenant: z.string().refine(isTenant),
  eventId: z.string().refine((id) => isId('event', id)),
  receiverId: z.string().refine(isReceiverId),
  attempt: z.number().int().min(0),
});
/** A call that somebody waits for; its body lies in the object store. */
export const liveJob = z.strictObject({
  tenant: z.string().refine(isTenant),
  callId: z.string().refine((id) => isId('call', id)),
});

export type BatchJob = z.output<typeof batchJob>;
export type ShardJob = z.output<typeof shardJob>;
export type DeliveryJob = z.output<typeof deliveryJob>;
export type LiveJob = z.output<typeof liveJob>;
