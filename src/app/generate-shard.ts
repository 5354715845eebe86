import { setMaxListeners } from 'node:events';
import { shardJob, type BatchJob } from '../contract/queue-payload.js';
import type { PlannedShard, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { decidesShard, isStopCause, type StopCause } from '../domain/stop-cause.js';
import type { Engine } from '../ports/engine.js';
import type { RunningJob } from '../ports/job-queue.js';
import { cancelRequestedMs } from './batch-records.js';
import { giveUpShard, givenUpRecord, rejectedRecord } from './give-up-shard.js';
import { finishJob } from './jobs.js';
import type { LineRecord } from './line/line-record.js';
import type { LineRules } from './line/line-request.js';
import { runLine } from './line/run-line.js';
import { encodePart } from './part.js';
import type { PlannedBatches } from './planned-batches.js';
import { readShard } from './read-shard.js';
import type { ShapeMeter } from './shape-meter.js';
import type { World } from './world.js';

export type Generator = World &
  LineRules & {
    readonly engine: Engine;
    readonly meter: ShapeMeter;
    readonly planned: PlannedBatches;
    readonly workerId: string;
  };

/** How often a running shard looks for a cancel and at the clock. */
const watchMs = 2000;

/** Aborts the shard's work on a cancel or at the end of the window, until `done` aborts. */
async function watchBatch(
  world: World,
  submit: SubmitObject,
  abort: (cause: StopCause) => void,
  done: AbortSignal,
): Promise<void> {
  for (;;) {
    await world.clock.sleep(watchMs, done);
    if (done.aborted) return;
    if (world.clock.now() >= submit.expiresMs) abort('deadline');
    try {
      if ((await cancelRequestedMs(world.store, submit.tenant, submit.batchId)) !== null) abort('user_cancel');
    } catch (error) {
      // The store is away: the lines go on, and the next look may see more.
      world.log.warn('shard.watch_failed', { batchId: submit.batchId, code: errorCode(error) });
    }
  }
}

/** All lines of the shard, side by side; the engine orders them. Lines cut short by a cancel or the deadline get its error. */
async function runLines(
  world: Generator,
  submit: SubmitObject,
  plan: WorkPlan,
  shard: PlannedShard,
  outer: AbortSignal,
): Promise<{ records: LineRecord[]; stop: 'user_cancel' | 'deadline' | null }> {
  const lines = await readShard(world.store, submit, shard);
  const work = new AbortController();
  // Every sequence of the shard listens; that is no leak.
  setMaxListeners(0, work.signal);
  const done = new AbortController();
  const abort = (cause: StopCause): void => work.abort(cause);
  const onOuter = (): void => work.abort(outer.reason);
  outer.addEventListener('abort', onOuter, { once: true });
  if (outer.aborted) onOuter();
  const watching = watchBatch(world, submit, abort, done.signal);
  try {
    const settled = await Promise.allSettled(
      lines.map(async (line, at) => {
        const rejected = shard.rejected.find(({ index }) => index === shard.firstLine + at);
        if (rejected) return rejectedRecord(world, rejected);
        try {
          return await runLine(world, line, plan.endpoint, work.signal);
        } catch (error) {
          // One failure of the engine fails the attempt: the other lines need not be waited for.
          if (!work.signal.aborted) work.abort(error);
          throw error;
        }
      }),
    );
    const reason: unknown = work.signal.reason;
    if (settled.every((line) => line.status === 'fulfilled'))
      return { records: settled.map(({ value }) => value), stop: null };
    if (!isStopCause(reason) || !decidesShard(reason)) throw reason;
    const verdict = reason === 'deadline' ? 'expired' : 'cancelled';
    const records = settled.map((line, at) =>
      line.status === 'fulfilled' ? line.value : givenUpRecord(world, plan, shard, at, lines[at] ?? null, verdict),
    );
    return { records, stop: reason };
  } finally {
    outer.removeEventListener('abort', onOuter);
    done.abort();
    await watching;
  }
}

/** After the last shard of a batch was decided: let it be finished now rather than at the janitor's next sweep. */
async function announce(world: World, batch: BatchJob, plan: WorkPlan, decided: number): Promise<void> {
  if (decided >= plan.shards.length) await world.queue.add('finish', [finishJob(batch)]);
}

/**
 * Does one shard: reads its lines, generates, and writes its part. The part decides the shard: if another worker was first, this
 * one's results are dropped. Throws on anything that another attempt may mend.
 */
export async function generateShard(world: Generator, job: RunningJob, signal: AbortSignal): Promise<void> {
  const { tenant, batchId, shard: n } = shardJob.parse(job.payload);
  const { submit, plan } = await world.planned.load(tenant, batchId);
  const shard = plan?.kind === 'work' ? plan.shards[n] : undefined;
  if (plan?.kind !== 'work' || !shard) throw new EyrieError('not_found', `Batch ${batchId} has no shard ${n}.`);

  const partKey = keys.part(tenant, batchId, n);
  if (await world.store.head(partKey)) return;
  // What is remembered of a batch does not tell that it was deleted since.
  if (!(await world.store.head(keys.submit(tenant, batchId))))
    throw new EyrieError('not_found', `No batch found with id '${batchId}'.`);
  // An ended batch without parts: its results were removed, and a late job must not make them again.
  if (await world.store.head(keys.manifest(tenant, batchId))) return;
  const cancelled = (await cancelRequestedMs(world.store, tenant, batchId)) !== null;
  if (cancelled || world.clock.now() >= submit.expiresMs) {
    await giveUpShard(world, submit, plan, shard, cancelled ? 'cancelled' : 'expired');
    return;
  }

  const startedMs = world.clock.now();
  let result;
  try {
    result = await runLines(world, submit, plan, shard, signal);
  } catch (error) {
    if (errorCode(error) !== 'input_changed') throw error;
    await giveUpShard(world, submit, plan, shard, 'failed');
    return;
  }
  const { records, stop } = result;
  const tokens = records.reduce((sum, record) => sum + record.inputTokens + record.outputTokens, 0);
  const { header, bytes } = encodePart(
    {
      shard: n,
      verdict: stop === null ? null : stop === 'deadline' ? 'expired' : 'cancelled',
      shapes: world.meter.charge(tokens),
      worker: world.workerId,
      startedMs,
      finishedMs: world.clock.now(),
    },
    records,
  );
  const { created } = await world.store.create(partKey, bytes);
  world.log.info(created ? 'shard.done' : 'shard.lost_race', {
    tenant,
    batchId,
    shard: n,
    completed: header.completed,
    failed: header.failed,
    tokens,
    ms: header.finishedMs - startedMs,
  });
  if (!created) return;
  // From here on only hints: the shard is decided, and the janitor sees it in the store.
  const decided = await world.progress.record(batchId, n, header);
  await announce(world, { tenant, batchId }, plan, decided);
}
