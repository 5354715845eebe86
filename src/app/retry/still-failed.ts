import { z } from 'zod';
import type { SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import type { PartLine } from '../part.js';
import { readPart, type PartReader } from '../results/lost-part.js';
import { hasResults } from '../retention/result-file.js';
import type { World } from '../world.js';
import { linesOfParent, loadChildren } from './lineage.js';

type Reader = PartReader & Pick<World, 'records'>;

/** A failed line of a child that has not ended: nobody knows yet. */
export const underWay = Symbol('under way');

/** Lines without a good result so far, by index: the code of the newest failure, or `underWay`. */
export type FailedLines = Map<number, string | typeof underWay>;

/** Parts read at once. */
const readsMax = 16;

const errorLine = z.looseObject({
  response: z.looseObject({ body: z.looseObject({ error: z.looseObject({ code: z.string() }) }) }).nullable(),
  error: z.looseObject({ code: z.string() }).nullable(),
});

function codeOf(line: PartLine): string {
  const { response, error } = errorLine.parse(JSON.parse(Buffer.from(line.bytes).toString('utf8')));
  return response?.body.error.code ?? error?.code ?? 'internal_error';
}

async function ownFailures(world: Reader, submit: SubmitObject, plan: WorkPlan): Promise<FailedLines> {
  const failed: FailedLines = new Map();
  for (let from = 0; from < plan.shards.length; from += readsMax) {
    const shards = plan.shards.slice(from, from + readsMax);
    const parts = await Promise.all(shards.map((shard) => readPart(world, submit, plan, shard)));
    for (const [at, shard] of shards.entries()) {
      for (const [index, line] of parts[at]?.lines.entries() ?? [])
        if (!line.ok) failed.set(shard.firstLine + index, codeOf(line));
    }
  }
  return failed;
}

/** Takes over what became of the lines in a child. */
async function applyChild(world: Reader, failed: FailedLines, child: SubmitObject): Promise<void> {
  const { tenant, batchId } = child;
  const manifest = await world.records.manifest(tenant, batchId);
  if (manifest && !(await hasResults(world, tenant, manifest))) return;
  const lines = await linesOfParent(world.store, child);
  const inChild = manifest ? await stillFailed(world, child) : null;
  // A child that ended before it was planned changed nothing.
  if (manifest && inChild === null) return;
  for (const [index, line] of lines.entries()) {
    if (!failed.has(line)) continue;
    const outcome = inChild === null ? underWay : inChild.get(index);
    if (outcome === undefined) failed.delete(line);
    else if (failed.get(line) !== underWay) failed.set(line, outcome);
  }
}

/** Lines of an ended batch that failed, and did not succeed in a child, or a child's child, since. null: it has no lines. */
export async function stillFailed(world: Reader, submit: SubmitObject): Promise<FailedLines | null> {
  const plan = await world.records.plan(submit.tenant, submit.batchId);
  if (plan?.kind !== 'work') return null;
  const failed = await ownFailures(world, submit, plan);
  for (const child of await loadChildren(world.store, submit.tenant, submit.batchId))
    await applyChild(world, failed, child);
  return failed;
}
