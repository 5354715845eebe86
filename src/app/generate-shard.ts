import { setMaxListeners } from 'node:events';
import { shardJob, type BatchJob } from '../contract/queue-payload.js';
import type { WorkPlan } from '../contract/stored-objects.js';
import { EyrieError, errorCode } from '../domain/errors.js';
import { keys } from '../domain/object-keys.js';
import { decidesShard, isStopCause } from '../domain/stop-cause.js';
import type { LineRange } from '../domain/suspect-ranges.js';
import type { RunningJob } from '../ports/job-queue.js';
import { mapInTurns } from './breather.js';
import type { BatchWatch } from './batch-watch.js';
import { rangeResults } from './attempts/range-results.js';
import { checkOwnFailure, runSuspect } from './attempts/run-suspect.js';
import { forgetRangeParts, noteLoss, RangeAttempt, readAttempts } from './attempts/shard-attempts.js';
import { giveUpShard, givenUpRecord, logGivenUp, rejectedRecord } from './give-up-shard.js';
import { finishJob } from './jobs.js';
import type { LineRecord } from './line/line-record.js';
import { runLine } from './line/run-line.js';
import { encodePartInTurns } from './part.js';
import { readShard } from './read-shard.js';
import type { Generator, Records, ShardWork } from './shard-work.js';
import type { World } from './world.js';

/** The lines of a range, side by side; the engine orders them. null: stopped by a cancel or the deadline before its result. */
async function runLines(world: Generator, work: ShardWork, range: LineRange): Promise<Records> {
  const { plan, shard, signal } = work;
  const runner = { ...world, tenant: work.job.tenant };
  const lines = work.lines.slice(range.first, range.first + range.count);
  const running = new AbortController();
  // Every sequence listens; that is no leak.
  setMaxListeners(0, running.signal);
  const onStop = (): void => running.abort(signal.reason);
  signal.addEventListener('abort', onStop, { once: true });
  if (signal.aborted) onStop();
  try {
    const run = async (line: Uint8Array | null, at: number): Promise<LineRecord> => {
      const rejected = rejectedRecord(world, plan, shard, range.first + at, line);
      if (rejected) return rejected;
      running.signal.throwIfAborted();
      try {
        return await runLine(runner, line, plan.endpoint, running.signal);
      } catch (error) {
        // One failure of the engine fails the attempt: the other lines need not be waited for.
        if (!running.signal.aborted) running.abort(error);
        throw error;
      }
    };
    const records = await mapInTurns(world.clock, lines, (line, at) => {
      const record = run(line, at);
      // Looked at with the others; until then a failure must not count as unhandled.
      record.catch(() => undefined);
      return { record };
    });
    const settled = await Promise.allSettled(records.map(({ record }) => record));
    const reason: unknown = running.signal.reason;
    const failed = settled.some((line) => line.status === 'rejected');
    if (failed && !(isStopCause(reason) && decidesShard(reason))) throw reason;
    return settled.map((line) => (line.status === 'fulfilled' ? line.value : null));
  } finally {
    signal.removeEventListener('abort', onStop);
  }
}

/** The whole shard at once, beside others. null: it failed for a reason of its own, which was noted, and is a suspect now. */
async function runWhole(world: Generator, work: ShardWork): Promise<Records | null> {
  const { job, shard } = work;
  const whole = { first: 0, count: shard.count };
  try {
    return await world.gate.shared(work.signal, () => runLines(world, work, whole));
  } catch (error) {
    await checkOwnFailure(world, work, whole, error);
    const attempt = await RangeAttempt.begin(world, job, whole, world.workerId);
    await attempt.failed(error);
    await attempt.end();
    return null;
  }
}

/** What makes a shard a suspect before it begins. */
interface Suspicion {
  /** How often the queue gave it back because its worker fell silent. */
  readonly stalls: number;
  /** Whether a failure of it stands in the store. */
  readonly isKnown: boolean;
}

/** Carries the shard out: as a whole, or as a suspect when something was noted of it, or its last worker was lost. */
async function runShard(
  world: Generator,
  work: ShardWork,
  { stalls, isKnown }: Suspicion,
): Promise<{ readonly records: Records; readonly isSuspect: boolean }> {
  if (stalls > 0) await noteLoss(world, work.job, stalls, world.workerId);
  const whole = stalls > 0 || isKnown ? null : await runWhole(world, work);
  if (whole) return { records: whole, isSuspect: false };
  const { failures } = await readAttempts(world.store, work.job);
  const records = await world.gate.alone(failures, work.signal, () =>
    runSuspect(world, work, (suspect, range) => runLines(world, suspect, range)),
  );
  return { records, isSuspect: true };
}

/** Runs the shard's lines until they have their results, or a cancel or the end of the window stops them. */
async function runWatched(
  world: Generator,
  work: Omit<ShardWork, 'signal'>,
  suspicion: Suspicion,
  watch: BatchWatch,
  outer: AbortSignal,
): Promise<{ records: Records; stop: 'user_cancel' | 'deadline' | null; isSuspect: boolean }> {
  const stopping = new AbortController();
  const signals = [outer, watch.signal].map((signal) => {
    const stop = (): void => stopping.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    return () => signal.removeEventListener('abort', stop);
  });
  const stopCause = (): 'user_cancel' | 'deadline' | null => {
    const reason: unknown = stopping.signal.reason;
    return isStopCause(reason) && decidesShard(reason) ? reason : null;
  };
  try {
    const { records, isSuspect } = await runShard(world, { ...work, signal: stopping.signal }, suspicion);
    const isWhole = records.every((record) => record !== null);
    // Nothing but a cancel or the deadline leaves lines without a result in a shard that is decided.
    if (!isWhole && stopCause() === null) throw stopping.signal.reason;
    return { records, isSuspect, stop: isWhole ? null : stopCause() };
  } catch (error) {
    // Stopped while it waited for its turn.
    if (error !== stopping.signal.reason || stopCause() === null) throw error;
    const { records, any } = await rangeResults(world.store, work.job, work.lines.length);
    return { records, stop: stopCause(), isSuspect: any };
  } finally {
    for (const leave of signals) leave();
  }
}

/** After the last shard of a batch was decided: let it be finished now rather than at the janitor's next sweep. */
async function announce(world: World, batch: BatchJob, plan: WorkPlan, decided: number): Promise<void> {
  if (decided >= plan.shards.length) await world.queue.add('finish', [finishJob(batch, world)]);
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
  const watch = world.watches.subscribe(tenant, batchId, submit.expiresMs);
  try {
    await decideShard(world, job, { job: { tenant, batchId, shard: n }, submit, plan, shard }, watch, signal);
  } finally {
    watch.close();
  }
}

async function decideShard(
  world: Generator,
  { stalls }: RunningJob,
  planned: Omit<ShardWork, 'signal' | 'lines'>,
  watch: BatchWatch,
  signal: AbortSignal,
): Promise<void> {
  const { job, submit, plan, shard } = planned;
  const { tenant, batchId } = job;
  const partKey = keys.part(tenant, batchId, job.shard);
  const [part, sight] = await Promise.all([world.store.head(partKey), watch.sight()]);
  if (part) return;
  // What is remembered of a batch does not tell that it was deleted since.
  if (!sight.exists) throw new EyrieError('not_found', `No batch found with id '${batchId}'.`);
  // An ended batch without parts: its results were removed, and a late job must not make them again.
  if (sight.ended) return;
  const cancelled = sight.cancelMs !== null;
  if (cancelled || world.clock.now() >= submit.expiresMs) {
    await giveUpShard(world, submit, plan, shard, cancelled ? 'cancelled' : 'expired');
    return;
  }

  const noRoom = await world.resultsQuota.usedUp(tenant);
  if (noRoom) {
    await giveUpShard(world, submit, plan, shard, noRoom);
    return;
  }

  const startedMs = world.clock.now();
  let lines: (Uint8Array | null)[];
  try {
    lines = await readShard(world.store, submit, shard);
  } catch (error) {
    if (errorCode(error) !== 'input_changed') throw error;
    await giveUpShard(world, submit, plan, shard, 'failed');
    return;
  }
  const suspicion = { stalls, isKnown: sight.attempted.has(job.shard) };
  const { records: found, stop, isSuspect } = await runWatched(world, { ...planned, lines }, suspicion, watch, signal);
  const verdict = stop === null ? null : stop === 'deadline' ? 'expired' : 'cancelled';
  const records = await mapInTurns(
    world.clock,
    found,
    (record, at) => record ?? givenUpRecord(world, plan, shard, at, lines[at] ?? null, verdict ?? 'failed'),
  );
  const tokens = records.reduce((sum, record) => sum + record.inputTokens + record.outputTokens, 0);
  const shapes = world.meter.charge(tokens);
  const times = { startedMs, finishedMs: world.clock.now() };
  const { header, bytes } = await encodePartInTurns(
    world.clock,
    { shard: job.shard, verdict, shapes, worker: world.workerId, ...times },
    records,
  );
  const { created } = await world.store.create(partKey, bytes);
  // What a suspect's ranges gave stands in the part now.
  if (isSuspect) await forgetRangeParts(world.store, job).catch(() => undefined);
  world.log.info(created ? 'shard.done' : 'shard.lost_race', {
    ...job,
    completed: header.completed,
    failed: header.failed,
    tokens,
    ms: header.finishedMs - startedMs,
  });
  if (!created) return;
  await world.resultsQuota.add(tenant, bytes.length);
  logGivenUp(world, job, header);
  // From here on only hints: the shard is decided, and the janitor sees it in the store.
  const decided = await world.progress.record(batchId, job.shard, header);
  await announce(world, { tenant, batchId }, plan, decided);
}
