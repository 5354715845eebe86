import { z } from 'zod';
import type { SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import type { ObjectInfo } from '../../ports/object-store.js';
import { decidedParts } from '../batch-records.js';
import type { PartLine } from '../part.js';
import { readPart, type PartReader } from '../results/lost-part.js';
import { readAhead } from '../results/read-ahead.js';
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

/** What one call reads of a batch and its retries. */
class PartsRead {
  #parts = 0;

  add(parts: number): void {
    this.#parts += parts;
    if (this.#parts <= bounds.retryPartsMax) return;
    throw new EyrieError(
      'too_many_retries',
      `To tell which lines still fail, more than ${bounds.retryPartsMax} stored parts of the batch and its retries would have to be read. Submit the lines as a new batch.`,
      { bound: 'retryPartsMax' },
    );
  }
}

async function ownFailures(
  world: Reader,
  submit: SubmitObject,
  plan: WorkPlan,
  parts: ReadonlyMap<number, ObjectInfo>,
): Promise<FailedLines> {
  const failed: FailedLines = new Map();
  const loaded = readAhead(
    plan.shards,
    async (shard) => ({ shard, part: await readPart(world, submit, plan, shard) }),
    {
      countMax: readsMax,
      weightMax: bounds.partReadBytesMax,
      weightOf: ({ n }) => parts.get(n)?.bytes ?? 0,
    },
  );
  for await (const { shard, part } of loaded)
    for (const [index, line] of part?.lines.entries() ?? [])
      if (!line.ok) failed.set(shard.firstLine + index, codeOf(line));
  return failed;
}

/** Takes over what became of the lines in a child. */
async function applyChild(world: Reader, failed: FailedLines, child: SubmitObject, read: PartsRead): Promise<void> {
  const { tenant, batchId } = child;
  const manifest = await world.records.manifest(tenant, batchId);
  if (manifest && !(await hasResults(world, tenant, manifest))) return;
  const lines = await linesOfParent(world.store, child);
  if (!lines.some((line) => failed.has(line))) return;
  const inChild = manifest ? await failuresOf(world, child, read) : null;
  // A child that ended before it was planned changed nothing.
  if (manifest && inChild === null) return;
  for (const [index, line] of lines.entries()) {
    if (!failed.has(line)) continue;
    const outcome = inChild === null ? underWay : inChild.get(index);
    if (outcome === undefined) failed.delete(line);
    else if (failed.get(line) !== underWay) failed.set(line, outcome);
  }
}

async function failuresOf(world: Reader, submit: SubmitObject, read: PartsRead): Promise<FailedLines | null> {
  const { tenant, batchId } = submit;
  const plan = await world.records.plan(tenant, batchId);
  if (plan?.kind !== 'work') return null;
  read.add(plan.shards.length);
  const failed = await ownFailures(world, submit, plan, await decidedParts(world.store, tenant, batchId));
  for (const child of await loadChildren(world.store, tenant, batchId)) await applyChild(world, failed, child, read);
  return failed;
}

/**
 * Lines of an ended batch that failed, and did not succeed in a child, or a child's child, since. null: it has no lines. Throws
 * `too_many_retries` when too much would have to be read.
 */
export const stillFailed = (world: Reader, submit: SubmitObject): Promise<FailedLines | null> =>
  failuresOf(world, submit, new PartsRead());
