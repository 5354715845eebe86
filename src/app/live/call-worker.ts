import type { LiveRequest } from '../../contract/live-message.js';
import type { LiveJob } from '../../contract/queue-payload.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode, EyrieError, isErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { Listener } from '../../ports/live-channel.js';
import { liveJobOf } from '../jobs.js';
import { putJson } from '../stored-json.js';
import type { World } from '../world.js';
import { CallInbox, type LiveDelivery } from './call-inbox.js';

export type Caller = Pick<World, 'store' | 'queue' | 'live' | 'clock' | 'ids' | 'log'>;

/** What comes of a call: the events of a stream as they are made, or the whole answer; `alive` when a stream is silent for long. */
export type LiveNews =
  | { readonly kind: 'chunks'; readonly chunks: readonly string[] }
  | { readonly kind: 'answer'; readonly json: string }
  | { readonly kind: 'alive' };

/** Time left to wait. Throws when the worker has fallen silent, when nobody has answered in time, or a stream is too old. */
function patienceMs(nowMs: number, startedMs: number, heardMs: number | null, begun: boolean): number {
  const silentMs = heardMs === null ? Infinity : heardMs + bounds.liveSilenceMs;
  if (nowMs >= silentMs) throw new EyrieError('worker_lost', 'The worker that made the answer has fallen silent.');
  const lateMs = startedMs + (begun ? bounds.liveStreamMs : bounds.liveWaitMs);
  if (nowMs >= lateMs) throw new EyrieError('generation_timeout', 'There was no answer in time.');
  return Math.min(silentMs, lateMs) - nowMs;
}

async function readLargeAnswer({ store }: Caller, { tenant, callId }: LiveJob): Promise<string> {
  const key = keys.liveAnswer(tenant, callId);
  const object = await store.get(key);
  if (!object) throw new EyrieError('worker_lost', 'The answer is not where the worker said.');
  void store.delete(key).catch(() => undefined); // the sweep finds it
  return Buffer.from(object.bytes).toString();
}

async function toNews(world: Caller, call: LiveJob, delivery: LiveDelivery): Promise<LiveNews | null> {
  if (delivery.kind === 'error') {
    const { code, message, param } = delivery;
    throw new EyrieError(isErrorCode(code) ? code : 'internal_error', message, { param });
  }
  if (delivery.kind === 'answer')
    return { kind: 'answer', json: delivery.body ?? (await readLargeAnswer(world, call)) };
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
      const news = await toNews(world, call, delivery);
      if (!news) return;
      yield news;
      if (news.kind === 'answer') return;
      toldMs = clock.monotonic();
    } else if (toldMs !== null && clock.monotonic() - toldMs >= bounds.liveCommentMs) {
      yield { kind: 'alive' };
      toldMs = clock.monotonic();
    } else await inbox.wait(patienceMs(clock.monotonic(), startedMs, inbox.heardMs, toldMs !== null), signal);
  }
}

/** Leaves nothing behind. What fails here is found by the sweep. */
async function cleanUp(world: Caller, call: LiveJob, listener: Listener, wasTaken: boolean): Promise<void> {
  // The worker learns by it that nobody listens.
  await listener.close();
  try {
    if (!wasTaken) await world.queue.remove('live', liveJobOf(call).id);
    await world.store.delete(keys.liveRequest(call.tenant, call.callId));
  } catch (error) {
    world.log.warn('live.left_behind', { callId: call.callId, code: errorCode(error) });
  }
}

/** Has one worker answer. Throws what the worker says is wrong, `worker_lost`, `generation_timeout`, or the signal's reason. */
export async function* callWorker(
  world: Caller,
  tenant: string,
  request: LiveRequest,
  startedMs: number,
  signal: AbortSignal,
): AsyncGenerator<LiveNews> {
  const call: LiveJob = { tenant, callId: world.ids.next('call') };
  const inbox = new CallInbox(world.clock);
  const listener = await world.live.listen(call.callId, inbox);
  try {
    await putJson(world.store, keys.liveRequest(tenant, call.callId), request);
    signal.throwIfAborted();
    await world.queue.add('live', [liveJobOf(call)]);
    yield* deliveries(world, call, inbox, startedMs, signal);
  } finally {
    // Whoever waits is not kept waiting for it.
    void cleanUp(world, call, listener, inbox.heardMs !== null);
  }
}
