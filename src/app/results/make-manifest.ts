import type { BatchError } from '../../contract/batch-object.js';
import type { ManifestObject, PlanObject, SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import { terminalState } from '../../domain/batch-state.js';
import { EyrieError } from '../../domain/errors.js';
import { derivedId } from '../../domain/ids.js';
import type { ObjectInfo } from '../../ports/object-store.js';
import { readBatchAttempts } from '../attempts/batch-attempts.js';
import { lastDecidedMs } from '../batch-records.js';
import { noWaste } from '../give-up-shard.js';
import type { World } from '../world.js';
import { mergeParts, type PartSource, type Tally } from './merge-parts.js';
import { ResultWriter } from './result-writer.js';

/** A manifest that is not written yet, with the writers of the files that it names. */
export interface Made {
  readonly manifest: ManifestObject;
  readonly writers: readonly ResultWriter[];
}

interface Results extends Pick<ManifestObject, 'output' | 'errors'> {
  readonly tally: Tally;
  readonly writers: Made['writers'];
}

export async function discardAll(writers: Made['writers'], reason: unknown): Promise<void> {
  await Promise.all(writers.map((writer) => writer.discard(reason)));
}

function checkCount({ completed, failed }: Tally, { lines }: WorkPlan, { batchId }: SubmitObject): void {
  if (completed + failed !== lines)
    throw new EyrieError('internal_error', `${batchId} has ${completed + failed} results for ${lines} lines.`);
}

/** Both result files in one pass over the parts. What was begun is removed when it fails. */
async function writeResults(world: World, submit: SubmitObject, plan: WorkPlan, source: PartSource): Promise<Results> {
  const output = new ResultWriter(world, submit, 'output');
  const errors = new ResultWriter(world, submit, 'errors');
  const writers = [output, errors];
  try {
    const tally = await mergeParts(world.clock, plan, source, (kind, lines) =>
      (kind === 'output' ? output : errors).write(lines),
    );
    checkCount(tally, plan, submit);
    return {
      tally,
      output: await output.finish(tally.completed),
      errors: await errors.finish(tally.failed),
      writers,
    };
  } catch (error) {
    await discardAll(writers, error);
    throw error;
  }
}

/** The same without files: what the parts say together. */
async function countResults(
  { clock }: World,
  submit: SubmitObject,
  plan: WorkPlan,
  source: PartSource,
): Promise<Results> {
  const tally = await mergeParts(clock, plan, source, () => Promise.resolve());
  checkCount(tally, plan, submit);
  return { tally, output: null, errors: null, writers: [] };
}

const idsOf = (world: World, { batchId }: SubmitObject) => ({
  v: 1 as const,
  batchId,
  eventId: derivedId('event', world.idSecret, batchId, 'terminal'),
});

/** The end of a batch that has no lines to run. */
export async function verdictManifest(
  world: World,
  submit: SubmitObject,
  plan: Extract<PlanObject, { kind: 'verdict' }>,
): Promise<Made> {
  const { counts: attempts } = await readBatchAttempts(world.store, submit.tenant, submit.batchId);
  const manifest: ManifestObject = {
    ...idsOf(world, submit),
    state: terminalState(plan.verdict, new Set()),
    finishedMs: world.clock.now(),
    finalizingMs: plan.plannedMs,
    generatingMs: 0,
    counts: { total: 0, completed: 0, failed: 0 },
    reasons: [],
    givenUp: {},
    attempts,
    output: null,
    errors: null,
    inputTokens: 0,
    outputTokens: 0,
    shapes: noWaste,
  };
  return { manifest, writers: [] };
}

export interface FinishRules {
  readonly source: PartSource;
  /** false: the result files cannot be written; the parts stay as they are. */
  readonly withFiles: boolean;
  /** Not null: the batch has failed, for this. */
  readonly reason: BatchError | null;
}

/** The end of a batch whose parts are there, with the files that are made of them. */
export async function workManifest(
  world: World,
  submit: SubmitObject,
  plan: WorkPlan,
  parts: ReadonlyMap<number, ObjectInfo>,
  { source, withFiles, reason }: FinishRules,
): Promise<Made> {
  const { counts: attempts } = await readBatchAttempts(world.store, submit.tenant, submit.batchId);
  const { tally, output, errors, writers } = withFiles
    ? await writeResults(world, submit, plan, source)
    : await countResults(world, submit, plan, source);
  const manifest: ManifestObject = {
    ...idsOf(world, submit),
    state: reason ? 'failed' : terminalState('work', tally.verdicts),
    finishedMs: world.clock.now(),
    finalizingMs: lastDecidedMs(plan, new Map(Array.from(parts, ([n, { modifiedMs }]) => [n, modifiedMs]))),
    generatingMs: Math.max(0, tally.finishedMs - tally.startedMs),
    counts: { total: plan.lines, completed: tally.completed, failed: tally.failed },
    reasons: reason ? [reason] : [],
    givenUp: tally.givenUp,
    attempts,
    output,
    errors,
    inputTokens: tally.inputTokens,
    outputTokens: tally.outputTokens,
    shapes: tally.shapes,
  };
  return { manifest, writers };
}
