import { z } from 'zod';
import { endpoints } from '../domain/served-model.js';

/** A live call as it lies in the object store until it is answered: the body as it came, checked already. */
export const liveRequest = z.object({
  v: z.literal(1),
  endpoint: z.enum(endpoints),
  body: z.record(z.string(), z.unknown()),
});
export type LiveRequest = z.output<typeof liveRequest>;

/** `run`: one take-up of a call by one worker. `n` counts its messages from 0, so that a lost or repeated one is noticed. */
const place = { run: z.string().max(64), n: z.number().int().min(0) };

/** What a worker tells the one who waits. The channel is Redis, which is not trusted: each message is parsed before use. */
export const liveMessage = z.discriminatedUnion('kind', [
  /** At work. `begun`: the engine is about to see the call; what is lost from then on may be lost because of it. */
  z.object({ kind: z.literal('pulse'), ...place, begun: z.boolean().optional() }),
  /** More of a stream: JSON texts, one for each event. */
  z.object({ kind: z.literal('chunks'), ...place, chunks: z.array(z.string()) }),
  z.object({ kind: z.literal('end'), ...place }),
  /** The whole answer as JSON text; null: it is too large for the channel and lies in the object store. */
  z.object({ kind: z.literal('answer'), ...place, body: z.string().nullable() }),
  z.object({
    kind: z.literal('error'),
    ...place,
    code: z.string(),
    message: z.string(),
    param: z.string().nullable(),
  }),
]);
export type LiveMessage = z.output<typeof liveMessage>;

type WithoutPlace<T> = T extends unknown ? Omit<T, keyof typeof place> : never;
/** A message before it has its place in the run. */
export type LiveMessageBody = WithoutPlace<LiveMessage>;
