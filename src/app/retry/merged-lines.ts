import type { SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import type { PartLine } from '../part.js';
import { readPart, type PartReader } from '../results/lost-part.js';
import { hasResults } from '../retention/result-file.js';
import type { World } from '../world.js';
import { linesOfParent, loadChildren } from './lineage.js';

type Reader = PartReader & Pick<World, 'records'>;

/** Result lines by index from the start of the range; null: not decided so far. */
type Lines = (PartLine | null)[];

export async function ownLines(
  world: Reader,
  submit: SubmitObject,
  plan: WorkPlan,
  from: number,
  to: number,
): Promise<Lines> {
  const lines: Lines = Array.from({ length: to - from }, () => null);
  for (const shard of plan.shards) {
    if (shard.firstLine + shard.count <= from || shard.firstLine >= to) continue;
    const part = await readPart(world, submit, plan, shard);
    for (const [index, line] of part?.lines.entries() ?? []) {
      const at = shard.firstLine + index - from;
      if (at >= 0 && at < lines.length) lines[at] = line;
    }
  }
  return lines;
}

/** Where `line` stands, or would stand, in an ascending list. */
function positionOf(lines: readonly number[], line: number): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((lines[middle] ?? Infinity) < line) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts the child's results in the place of failed lines: a success for good, else the newest failure. */
async function applyChild(world: Reader, merged: Lines, from: number, child: SubmitObject): Promise<void> {
  const { tenant, batchId } = child;
  const manifest = await world.records.manifest(tenant, batchId);
  if (manifest && (manifest.counts.total === 0 || !(await hasResults(world, tenant, manifest)))) return;
  const ofParent = await linesOfParent(world.store, child);
  const first = positionOf(ofParent, from);
  const end = positionOf(ofParent, from + merged.length);
  if (first === end) return;
  const plan = await world.records.plan(tenant, batchId);
  const inChild = plan?.kind === 'work' ? await mergedLines(world, child, plan, first, end) : [];
  for (let index = first; index < end; index++) {
    const at = (ofParent[index] ?? 0) - from;
    const before = merged[at];
    const after = inChild[index - first] ?? null;
    if (before?.ok === true) continue;
    // What an earlier child still works on stays open, unless this one has the answer.
    if (before === null && after?.ok !== true) continue;
    merged[at] = after;
  }
}

/**
 * Result lines [from, to) of a batch with those of its children merged in. A line that a child works on is not decided. Reads the
 * children only for lines that failed.
 */
export async function mergedLines(
  world: Reader,
  submit: SubmitObject,
  plan: WorkPlan,
  from: number,
  to: number,
): Promise<Lines> {
  const merged = await ownLines(world, submit, plan, from, to);
  if (merged.every((line) => line === null || line.ok)) return merged;
  for (const child of await loadChildren(world.store, submit.tenant, submit.batchId))
    await applyChild(world, merged, from, child);
  return merged;
}
