import { bounds } from '../../domain/bounds.js';
import { errorCode, failsByItself, type ErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { decidesShard, isStopCause } from '../../domain/stop-cause.js';
import { parseRange, rangeName, rangesToDo, type LineRange } from '../../domain/suspect-ranges.js';
import { mapInTurns } from '../breather.js';
import { checkEngine } from '../check-engine.js';
import { noWaste, withoutResult } from '../give-up-shard.js';
import type { Generator, Records, ShardWork } from '../shard-work.js';
import type { LineRecord } from '../line/line-record.js';
import { encodePartInTurns } from '../part.js';
import { readBatchAttempts } from './batch-attempts.js';
import { readRange } from './range-results.js';
import { RangeAttempt, readAttempts, type AttemptsOfShard } from './shard-attempts.js';

export type RunLines = (work: ShardWork, range: LineRange) => Promise<Records>;

function givenUpMessage(code: ErrorCode, count: number): string {
  const what = code === 'worker_crashed' ? 'ended the worker that ran it' : `failed with ${code}`;
  return count === 1
    ? `This request was given up: it ${what}, ${bounds.lineAttemptsMax} times, with nothing beside it.`
    : `This request was given up with ${count - 1} beside it: one of them ${what}, and this batch had failed ${bounds.batchFailuresMax} times before, too often to find out which. Send it again in a batch of its own.`;
}

/** Errors in the place of the lines of a range that is given up. Lines that are no requests keep their own. */
function giveUpRange(world: Generator, work: ShardWork, range: LineRange, code: ErrorCode): Promise<LineRecord[]> {
  const { plan, shard, lines } = work;
  const reason = { code, message: givenUpMessage(code, range.count) };
  return mapInTurns(world.clock, lines.slice(range.first, range.first + range.count), (line, at) =>
    withoutResult(world, plan, shard, range.first + at, line, reason),
  );
}

/** The code of a range's newest failure. What is left of a range that was divided failed with that range. */
function codeOf({ ranges }: AttemptsOfShard, { first, count }: LineRange): ErrorCode {
  const around = [...ranges]
    .filter(([, { failures }]) => failures > 0)
    .map(([name, { code }]) => ({ ...parseRange(name), code }))
    .filter((range) => range.first <= first && first + count <= range.first + range.count)
    .toSorted((a, b) => a.count - b.count);
  return around[0]?.code ?? 'worker_crashed';
}

/** After a failure: whether the lines are to blame. Throws when something around them is, or the engine itself. */
export async function checkOwnFailure(
  world: Generator,
  { job, shard, signal }: ShardWork,
  range: LineRange,
  error: unknown,
): Promise<void> {
  const code = errorCode(error);
  if (isStopCause(signal.reason) || !failsByItself(code)) throw error;
  await checkEngine(world);
  world.log.warn('shard.range_failed', {
    ...job,
    firstLine: shard.firstLine + range.first,
    lines: range.count,
    code,
  });
}

/** Runs one range and keeps its results. 'failed': it did for a reason of its own, and that was noted. */
async function runRange(
  world: Generator,
  work: ShardWork,
  range: LineRange,
  runLines: RunLines,
): Promise<Records | 'failed'> {
  const { job } = work;
  const attempt = await RangeAttempt.begin(world, job, range, world.workerId);
  try {
    const records = await runLines(work, range);
    const whole = records.filter((record) => record !== null);
    // Stopped by a cancel or the deadline: what was finished counts, but the range has no results of its own.
    if (whole.length < records.length) return records;
    const ms = world.clock.now();
    const times = { startedMs: ms, finishedMs: ms };
    const summary = { shard: job.shard, verdict: null, shapes: noWaste, worker: world.workerId, ...times };
    const key = keys.rangePart(job.tenant, job.batchId, job.shard, rangeName(range));
    const { bytes } = await encodePartInTurns(world.clock, summary, whole);
    await world.store.create(key, bytes);
    return records;
  } catch (error) {
    await checkOwnFailure(world, work, range, error);
    await attempt.failed(error);
    return 'failed';
  } finally {
    await attempt.end();
  }
}

/**
 * Carries out a suspect, see `suspect-ranges`. Ends when every line has its record, or when the work is stopped: then those of the
 * lines that were not reached are null.
 */
export async function runSuspect(world: Generator, work: ShardWork, runLines: RunLines): Promise<Records> {
  const { store } = world;
  const { tenant, batchId } = work.job;
  const records: Records = work.lines.map(() => null);
  const place = (range: LineRange, found: Records): void => {
    for (const [at, record] of found.entries()) records[range.first + at] = record;
  };
  for (;;) {
    const attempts = await readAttempts(store, work.job);
    const exhausted =
      attempts.failures > 0 &&
      (await readBatchAttempts(store, tenant, batchId)).rangeFailures >= bounds.batchFailuresMax;
    const { run, done, givenUp } = rangesToDo(work.lines.length, attempts.ranges, exhausted);
    const next = run[0];
    if (next) {
      const found = await runRange(world, work, next, runLines);
      const reason: unknown = work.signal.reason;
      // Only a cancel and the deadline decide the shard with what there is; anything else leaves it to another worker.
      if (isStopCause(reason) && !decidesShard(reason)) throw reason;
      if (found === 'failed' || !isStopCause(reason)) continue;
      place(next, found);
    }
    const read = await Promise.all(done.map((range) => readRange(store, work.job, range)));
    for (const [at, range] of done.entries()) place(range, read[at] ?? []);
    if (next) return records;
    const damaged = done.filter((_, at) => read[at] === null);
    if (damaged.length > 0) {
      // They are run again.
      await store.deleteMany(damaged.map((range) => keys.rangePart(tenant, batchId, work.job.shard, rangeName(range))));
      continue;
    }
    for (const range of givenUp) place(range, await giveUpRange(world, work, range, codeOf(attempts, range)));
    return records;
  }
}
