import type { BatchJob } from '../contract/queue-payload.js';
import type { ManifestObject, PlanObject, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { keys } from '../domain/object-keys.js';
import type { ObjectInfo } from '../ports/object-store.js';
import { boundedStep, type StepFailures } from './attempts/bounded-step.js';
import { decidedParts, findManifest, loadSubmit } from './batch-records.js';
import { closeBatch } from './close-batch.js';
import { isOverdue, lostPart, readPart } from './results/lost-part.js';
import { discardAll, verdictManifest, workManifest, type Made } from './results/make-manifest.js';
import { storedParts, type LoadPart } from './results/merge-parts.js';
import { createJson } from './stored-json.js';
import { findPlan } from './stored-plan.js';
import type { World } from './world.js';

type Parts = ReadonlyMap<number, ObjectInfo>;

function reasonOf(submit: SubmitObject, { last }: StepFailures, withFiles: boolean) {
  const kept = withFiles
    ? 'Results that can be read are in the output file; the others are listed in the error file and can be run again with retry_failed.'
    : `There are no result files, but all results are kept: read them with GET /v1/batches/${submit.batchId}/results.`;
  return {
    code: last,
    message: `The results could not be put together: every attempt failed, the last one with '${last}'. ${kept} Give the operator the id of the batch: the log of the control program names the cause.`,
    param: null,
    line: null,
  };
}

async function makeWorkManifest(
  world: World,
  submit: SubmitObject,
  plan: WorkPlan,
  parts: Parts,
  failures: StepFailures | null,
): Promise<Made> {
  const { tenant, batchId } = submit;
  // After failures a part that cannot be read is replaced by errors; before, it may be read the next time.
  const stored: LoadPart = failures
    ? async (shard) =>
        (await readPart(world, submit, plan, shard)) ?? lostPart(world, submit, plan, shard, 'internal_error')
    : storedParts(world.store, tenant, batchId);
  const load: LoadPart = (shard) =>
    parts.has(shard.n) ? stored(shard) : lostPart(world, submit, plan, shard, 'batch_expired');
  const isHopeless = world.clock.now() >= submit.expiresMs + 2 * bounds.finishLateMs;
  const withFiles = failures === null || (failures.giveUps < bounds.finishExtraAttempts && !isHopeless);
  return workManifest(world, submit, plan, parts, {
    source: { load, bytesOf: ({ n }) => parts.get(n)?.bytes ?? 0 },
    withFiles,
    reason: failures && reasonOf(submit, failures, withFiles),
  });
}

const namesFilesOf = (one: ManifestObject, other: ManifestObject): boolean =>
  one.output?.fileId === other.output?.fileId && one.errors?.fileId === other.errors?.fileId;

/**
 * Writes the manifest; of several finishers one is first, and its files count. The others read it back and remove their own. A
 * failure of the write itself may hide that it was done, so the files stay then: the next attempt finds the manifest, or the agenda
 * finds the files.
 */
async function endBatch(world: World, { tenant, batchId }: SubmitObject, made: Made): Promise<ManifestObject | null> {
  const { manifest, writers } = made;
  const { created } = await createJson(world.store, keys.manifest(tenant, batchId), manifest);
  if (!created) {
    const first = await findManifest(world.store, tenant, batchId);
    if (first && !namesFilesOf(first, manifest)) await discardAll(writers, new Error('Another finisher was first.'));
    return first;
  }
  const { state, counts, outputTokens } = manifest;
  const { completed, failed } = counts;
  world.log.info('batch.finished', { tenant, batchId, state, completed, failed, outputTokens });
  const [reason] = manifest.reasons;
  if (reason) world.log.error('batch.step_given_up', { tenant, batchId, step: 'finish', code: reason.code });
  await Promise.all(writers.map((writer) => writer.keep()));
  return manifest;
}

/**
 * Turns the parts of a batch into its result files, in input order, and ends the batch with manifest.json, which names them. Does
 * nothing while shards are undecided. Each finisher writes files of its own, and the first manifest counts. `failures`: it was tried
 * in vain before; the batch ends as failed, with what can be saved.
 */
export async function finishBatch(world: World, batch: BatchJob, failures: StepFailures | null = null): Promise<void> {
  const { tenant, batchId } = batch;
  const submit = await loadSubmit(world.store, tenant, batchId);
  let manifest = await findManifest(world.store, tenant, batchId);
  if (!manifest) {
    const plan: PlanObject | null = await findPlan(world, tenant, batchId);
    if (!plan) return;
    let made: Made;
    if (plan.kind === 'verdict') made = await verdictManifest(world, submit, plan);
    else {
      const parts = await decidedParts(world.store, tenant, batchId);
      if (parts.size < plan.shards.length && !isOverdue(world, submit)) return;
      made = await makeWorkManifest(world, submit, plan, parts, failures);
    }
    manifest = await endBatch(world, submit, made);
  }
  if (manifest) await closeBatch(world, submit, manifest);
}

/** Finishes a batch; one that cannot be finished as it should ends as failed. */
export async function finishWithinBounds(world: World, batch: BatchJob, stalls: number): Promise<void> {
  await boundedStep(world, batch, stalls, 'finish', {
    attempt: () => finishBatch(world, batch),
    isLate: async () => isOverdue(world, await loadSubmit(world.store, batch.tenant, batch.batchId)),
    giveUp: (failures) => finishBatch(world, batch, failures),
  });
}
