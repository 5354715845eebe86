import type { AttemptNote } from '../../contract/stored-objects.js';
import type { BatchJob } from '../../contract/queue-payload.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode, failsByItself, isErrorCode, type ErrorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import { listAll } from '../list-all.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';

/** What is known of the attempts at a step that failed. */
export interface StepFailures {
  /** Failures of its own, and processes that were lost over it. */
  readonly own: number;
  /** Codes of what was away around it: whatever failed with one of them counts once. */
  readonly others: number;
  /** Attempts to give it up that failed for a reason of their own, too. */
  readonly giveUps: number;
  /** Code of the newest. */
  readonly last: ErrorCode;
}

type Step = 'plan' | 'finish';

const giveUpPrefix = 'give-up-';

async function note(world: World, batch: BatchJob, step: Step, name: string, code: ErrorCode): Promise<void> {
  const { tenant, batchId } = batch;
  const made: AttemptNote = { v: 1, ms: world.clock.now(), worker: 'control' };
  const { created } = await createJson(world.store, keys.stepAttempt(tenant, batchId, step, name, code), made);
  if (created) world.log.warn('batch.step_failed', { tenant, batchId, step, code });
}

async function readFailures({ store }: World, { tenant, batchId }: BatchJob, step: Step): Promise<StepFailures> {
  const prefix = keys.stepAttempts(tenant, batchId, step);
  let own = 0;
  let others = 0;
  let giveUps = 0;
  let last: { readonly ms: number; readonly code: ErrorCode } = { ms: -Infinity, code: 'internal_error' };
  for await (const { key, modifiedMs } of listAll(store, prefix)) {
    const [name = '', code] = key.slice(prefix.length).split('.');
    if (!isErrorCode(code)) continue;
    if (failsByItself(code)) own++;
    else others++;
    if (name.startsWith(giveUpPrefix) && failsByItself(code)) giveUps++;
    if (modifiedMs >= last.ms) last = { ms: modifiedMs, code };
  }
  return { own, others, giveUps, last: last.code };
}

/** Notes the failure and throws it on. When not even that can be noted, everything is away, and it is nobody's own failure. */
async function noted<T>(world: World, batch: BatchJob, step: Step, prefix: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = errorCode(error);
    // One note for all failures of the surroundings: only that there were some counts, and an outage may be long.
    const name = failsByItself(code) ? prefix + world.ids.next('request') : 'away';
    // A batch that is gone has no attempts.
    if (code !== 'not_found') await note(world, batch, step, name, code).catch(() => undefined);
    throw error;
  }
}

/**
 * Does a step of a batch with an end to its attempts. Each attempt that fails is noted in the object store, whatever becomes of the
 * queue. After `stepAttemptsMax` failures of its own, or when `isLate` says that the others have gone on for too long, `giveUp`
 * takes its place. What fails otherwise is thrown, so that the queue tries again later.
 */
export async function boundedStep(
  world: World,
  batch: BatchJob,
  stalls: number,
  step: Step,
  work: {
    readonly attempt: () => Promise<void>;
    readonly isLate: () => Promise<boolean>;
    readonly giveUp: (failures: StepFailures) => Promise<void>;
  },
): Promise<void> {
  // The process that held it was lost, perhaps because of it.
  if (stalls > 0) await note(world, batch, step, `lost-${stalls}`, 'worker_crashed');
  const givenUp = async (): Promise<boolean> => {
    const failures = await readFailures(world, batch, step);
    if (failures.own < bounds.stepAttemptsMax && !(failures.others > 0 && (await work.isLate()))) return false;
    await noted(world, batch, step, giveUpPrefix, () => work.giveUp(failures));
    return true;
  };
  if (await givenUp()) return;
  try {
    await noted(world, batch, step, '', work.attempt);
  } catch (error) {
    if (!(await givenUp())) throw error;
  }
}
