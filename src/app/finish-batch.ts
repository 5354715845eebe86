import type { BatchJob } from '../contract/queue-payload.js';
import type { ManifestObject, PlanObject, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import { terminalState } from '../domain/batch-state.js';
import { EyrieError } from '../domain/errors.js';
import { derivedId } from '../domain/ids.js';
import { keys } from '../domain/object-keys.js';
import type { ObjectInfo } from '../ports/object-store.js';
import { decidedParts, findManifest, findPlan, lastDecidedMs, loadSubmit } from './batch-records.js';
import { closeBatch } from './close-batch.js';
import { noWaste } from './give-up-shard.js';
import { mergeParts, storedParts, type PartSource, type Tally } from './results/merge-parts.js';
import { ResultWriter } from './results/result-writer.js';
import { createJson } from './stored-json.js';
import type { World } from './world.js';

type Parts = ReadonlyMap<number, ObjectInfo>;

/** A manifest that is not written yet, with the writers of the files that it names. */
interface Made {
  readonly manifest: ManifestObject;
  readonly writers: readonly ResultWriter[];
}

interface Results extends Pick<ManifestObject, 'output' | 'errors'> {
  readonly tally: Tally;
  readonly writers: Made['writers'];
}

async function discardAll(writers: Made['writers'], reason: unknown): Promise<void> {
  await Promise.all(writers.map((writer) => writer.discard(reason)));
}

/** Both result files in one pass over the parts. What was begun is removed when it fails. */
async function writeResults(world: World, submit: SubmitObject, plan: WorkPlan, source: PartSource): Promise<Results> {
  const output = new ResultWriter(world, submit, 'output');
  const errors = new ResultWriter(world, submit, 'errors');
  const writers = [output, errors];
  try {
    const tally = await mergeParts(plan, source, (kind, lines) => (kind === 'output' ? output : errors).write(lines));
    const { completed, failed } = tally;
    if (completed + failed !== plan.lines)
      throw new EyrieError(
        'internal_error',
        `${submit.batchId} has ${completed + failed} results for ${plan.lines} lines.`,
      );
    return { tally, output: await output.finish(completed), errors: await errors.finish(failed), writers };
  } catch (error) {
    await discardAll(writers, error);
    throw error;
  }
}

async function makeManifest(world: World, submit: SubmitObject, plan: PlanObject, parts: Parts): Promise<Made> {
  const { tenant, batchId } = submit;
  const same = { v: 1 as const, batchId, eventId: derivedId('event', world.idSecret, batchId, 'terminal') };
  if (plan.kind === 'verdict')
    return {
      manifest: {
        ...same,
        state: terminalState(plan.verdict, new Set()),
        finishedMs: world.clock.now(),
        finalizingMs: plan.plannedMs,
        generatingMs: 0,
        counts: { total: 0, completed: 0, failed: 0 },
        output: null,
        errors: null,
        inputTokens: 0,
        outputTokens: 0,
        shapes: noWaste,
      },
      writers: [],
    };
  const { tally, output, errors, writers } = await writeResults(world, submit, plan, {
    load: storedParts(world.store, tenant, batchId),
    bytesOf: ({ n }) => parts.get(n)?.bytes ?? 0,
  });
  return {
    manifest: {
      ...same,
      state: terminalState('work', tally.verdicts),
      finishedMs: world.clock.now(),
      finalizingMs: lastDecidedMs(plan, new Map(Array.from(parts, ([n, { modifiedMs }]) => [n, modifiedMs]))),
      generatingMs: Math.max(0, tally.finishedMs - tally.startedMs),
      counts: { total: plan.lines, completed: tally.completed, failed: tally.failed },
      output,
      errors,
      inputTokens: tally.inputTokens,
      outputTokens: tally.outputTokens,
      shapes: tally.shapes,
    },
    writers,
  };
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
  await Promise.all(writers.map((writer) => writer.keep()));
  return manifest;
}

/**
 * Turns the parts of a batch into its result files, in input order, and ends the batch with manifest.json, which names them. Does
 * nothing while shards are undecided. Each finisher writes files of its own, and the first manifest counts.
 */
export async function finishBatch(world: World, batch: BatchJob): Promise<void> {
  const { tenant, batchId } = batch;
  const submit = await loadSubmit(world.store, tenant, batchId);
  let manifest = await findManifest(world.store, tenant, batchId);
  if (!manifest) {
    const plan = await findPlan(world.store, tenant, batchId);
    if (!plan) return;
    const parts = await decidedParts(world.store, tenant, batchId);
    if (plan.kind === 'work' && parts.size < plan.shards.length) return;
    manifest = await endBatch(world, submit, await makeManifest(world, submit, plan, parts));
  }
  if (manifest) await closeBatch(world, submit, manifest);
}
