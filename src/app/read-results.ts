import type { PlannedShard, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { loadShownSubmit } from './batch-records.js';
import { readPart, type PartReader } from './results/lost-part.js';
import { hasResults } from './retention/result-file.js';
import { MergedLines, type Lines } from './retry/merged-lines.js';
import type { World } from './world.js';

export interface ResultsPage {
  /** Result lines, each one JSON text without a line feed. */
  readonly lines: readonly Uint8Array[];
  /** null: the batch has ended and this page holds its last lines. */
  readonly next: string | null;
}

/**
 * A cursor names its batch and the index of the next line, so it stays valid for as long as the batch is there, across restarts,
 * and gives the same lines whenever it is used: parts never change.
 */
const toCursor = (batchId: string, line: number): string => Buffer.from(`${line}:${batchId}`).toString('base64url');

function parseCursor(batchId: string, cursor: string): number {
  const [, line] = /^(\d{1,9}):(.*)$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (line === undefined || toCursor(batchId, Number(line)) !== cursor)
    throw new EyrieError(
      'invalid_value',
      "Invalid value for 'after': use the `next` of an earlier page of this batch.",
      {
        param: 'after',
      },
    );
  return Number(line);
}

export const resultsGone = (batchId: string): EyrieError =>
  new EyrieError('not_found', `The results of batch '${batchId}' are gone: their file was deleted or has expired.`);

/** Lines of a page that are merged together: the page may end behind them when they took many reads. */
const mergedAtOnce = 8;

/** The lines of a shard from an index of the batch on; none when it is not decided. */
async function ownLines(
  world: PartReader,
  submit: SubmitObject,
  plan: WorkPlan,
  shard: PlannedShard,
  from: number,
): Promise<Lines> {
  const part = await readPart(world, submit, plan, shard);
  return part?.lines.slice(from - shard.firstLine) ?? [];
}

/**
 * Result lines of a batch while it runs and after, by line index, up to the first undecided shard. Reads the object store only,
 * so it works while the queue is away. With `merge`, failed lines of an ended batch are replaced by what batches that ran them
 * again made of them; a line that one of these still works on counts as undecided, and a page for which many records had to be read is
 * shorter. Throws `not_found`, also when the result files are gone, and `invalid_value` for a foreign cursor.
 */
export async function readResults(
  world: PartReader & Pick<World, 'records'>,
  tenant: string,
  batchId: string,
  page: { readonly after: string | null; readonly limit: number; readonly merge: boolean },
): Promise<ResultsPage> {
  const { records } = world;
  const submit = await loadShownSubmit(world, tenant, batchId);
  const first = page.after === null ? 0 : parseCursor(batchId, page.after);
  // The manifest is looked for first: found, all parts are there.
  const manifest = await records.manifest(tenant, batchId);
  if (manifest && !(await hasResults(world, tenant, manifest))) throw resultsGone(batchId);
  const ended = manifest !== null;
  const plan = await records.plan(tenant, batchId);
  const total = plan?.kind === 'work' ? plan.lines : 0;
  const lines: Uint8Array[] = [];
  let bytes = 0;
  const isFull = () => lines.length === page.limit || bytes >= bounds.resultsPageBytes;
  /** A line larger than a page is a page of its own. */
  const passes = (line: Uint8Array) => bytes > 0 && bytes + line.length > bounds.resultsPageBytes;
  // Children are there only once the batch has ended.
  const merged = page.merge && ended ? new MergedLines(world, submit, { from: first, to: first + page.limit }) : null;
  /** Returns whether all of them were decided, and there is room for more. */
  const add = (found: Lines): boolean => {
    for (const line of found) {
      if (isFull() || line === null || passes(line.bytes)) return false;
      lines.push(line.bytes);
      bytes += line.bytes.length;
    }
    return !isFull();
  };
  const addShard = async (work: WorkPlan, shard: PlannedShard): Promise<boolean> => {
    const own = await ownLines(world, submit, work, shard, first + lines.length);
    if (!merged) return own.length > 0 && add(own);
    for (let at = 0; at < own.length; at += mergedAtOnce) {
      const found = await merged.merge(own.slice(at, at + mergedAtOnce), first + lines.length);
      if (!add(found) || merged.isSpent) return false;
    }
    return own.length > 0;
  };
  if (plan?.kind === 'work')
    for (const shard of plan.shards) {
      if (shard.firstLine + shard.count <= first) continue;
      // The first line that is not decided holds back all behind it.
      if (!(await addShard(plan, shard))) break;
    }
  const reached = first + lines.length;
  return { lines, next: ended && reached >= total ? null : toCursor(batchId, reached) };
}
