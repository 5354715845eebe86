import type { LiveRequest } from '../../contract/live-message.js';
import type { LiveJob } from '../../contract/queue-payload.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError, isErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { Listener } from '../../ports/live-channel.js';
import type { ObjectBody } from '../../ports/object-store.js';
import { liveJobId, liveJobOf } from '../jobs.js';
import { putJson } from '../stored-json.js';
import type { World } from '../world.js';
import { CallInbox, workerGone, type LiveDelivery } from './call-inbox.js';

export type Caller = Pick<World, 'store' | 'queue' | 'live' | 'clock' | 'ids' | 'log' | 'tenants'>;

/** What comes of a call: the events of a stream as they are made, or the whole answer; `alive` when a stream is silent for long. */
export type LiveNews =
  | { readonly kind: 'chunks'; readonly chunks: readonly string[] }
  | { readonly kind: 'answer'; readonly json: string }
  /** The whole answer, too large to be held: read it to its end before asking for more. */
  | { readonly kind: 'large answer'; readonly open: () => Promise<ObjectBody> }
  | { readonly kind: 'alive' };

/** Time left to wait. Throws when the worker has fallen silent, when nobody has answered in time, or a stream is too old. */
function patienceMs(nowMs: number, startedMs: number, { heardMs, begun }: CallInbox, streams: boolean): number {
  const silentMs = heardMs === null ? Infinity : heardMs + bounds.liveSilenceMs;
  if (nowMs >= silentMs) throw workerGone(begun);
  const lateMs = startedMs + (streams ? bounds.liveStreamMs : bounds.liveWaitMs);
  if (nowMs >= lateMs) throw new EyrieError('generation_timeout', 'There was no answer in time.');
  return Math.min(silentMs, lateMs) - nowMs;
}

async function openLargeAnswer({ store }: Caller, { tenant, callId }: LiveJob): Promise<ObjectBody> {
  const object = await store.getStream(keys.liveAnswer(tenant, callId));
  if (!object) throw new EyrieError('worker_lost', 'The answer is not where the worker said.');
  return object;
}

function toNews(world: Caller, call: LiveJob, delivery: LiveDelivery): LiveNews | null {
  if (delivery.kind === 'error') {
    const { code, message, param } = delivery;
    throw new EyrieError(isErrorCode(code) ? code : 'internal_error', message, { param });
  }
  if (delivery.kind === 'answer')
    return delivery.body === null
      ? { kind: 'large answer', open: () => openLargeAnswer(world, call) }
      : { kind: 'answer', json: delivery.body };
  return delivery.kind === 'chunks' ? delivery : null;
}

async function* deliveries(
  world: Caller,
  call: LiveJob,
  inbox: CallInbox,
  startedMs: number,
  signal: AbortSignal,
): AsyncGenerator<LiveNews> {
  const { clock } = world;
  let toldMs: number | null = null;
  for (;;) {
    signal.throwIfAborted();
    const delivery = inbox.shift();
    if (delivery) {
      const news = toNews(world, call, delivery);
      if (!news) return;
      try {
        yield news;
      } finally {
        if (news.kind === 'large answer')
          void world.store.delete(keys.liveAnswer(call.tenant, call.callId)).catch(() => undefined); // the sweep finds it
      }
      if (news.kind !== 'chunks') return;
      toldMs = clock.monotonic();
    } else if (toldMs !== null && clock.monotonic() - toldMs >= bounds.liveCommentMs) {
      yield { kind: 'alive' };
      toldMs = clock.monotonic();
    } else await inbox.wait(patienceMs(clock.monotonic(), startedMs, inbox, toldMs !== null), signal);
  }
}

/** Leaves nothing behind. What fails here is found by the sweep. */
async function cleanUp(world: Caller, call: LiveJob, listener: Listener, wasTaken: boolean): Promise<void> {
  // The worker learns by it that nobody listens.
  await listener.close();
  try {
    if (!wasTaken) await world.queue.remove('live', liveJobId(call));
    await world.store.delete(keys.liveRequest(call.tenant, call.callId));
  } catch (error) {
    world.log.warn('live.left_behind', { callId: call.callId, code: errorCode(error) });
  }
}

/** Has one worker answer. Throws what the worker says is wrong, `worker_lost`, `worker_crashed`, `generation_timeout`, or the signal's reason. */
export async function* callWorker(
  world: Caller,
  tenant: string,
  request: LiveRequest,
  { cost, startedMs }: { readonly cost: number; readonly startedMs: number },
  signal: AbortSignal,
): AsyncGenerator<LiveNews> {
  const call: LiveJob = { tenant, callId: world.ids.next('call') };
  const inbox = new CallInbox(world.clock);
  const listener = await world.live.listen(call.callId, inbox);
  try {
    await putJson(world.store, keys.liveRequest(tenant, call.callId), request);
    signal.throwIfAborted();
    await world.queue.add('live', [liveJobOf(call, { tenant, cost, weight: world.tenants.weight(tenant) })]);
    yield* deliveries(world, call, inbox, startedMs, signal);
  } finally {
    // Whoever waits is not kept waiting for it.
    void cleanUp(world, call, listener, inbox.heardMs !== null);
  }
}
