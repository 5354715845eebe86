import type { SubmitObject, WorkPlan } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { KeptValues } from '../kept-values.js';
import type { DecodedPart, PartLine } from '../part.js';
import { readPart, type PartReader } from '../results/lost-part.js';
import { hasResults } from '../retention/result-file.js';
import { sideBySide } from '../side-by-side.js';
import type { World } from '../world.js';
import { childIds, linesOfParent, loadChild } from './lineage.js';

type Reader = PartReader & Pick<World, 'records'>;

/** Result lines, one after the other; null: not decided so far. */
export type Lines = readonly (PartLine | null)[];

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Those lines of a child that are in the range of its parent. */
interface Child {
  readonly submit: SubmitObject;
  /** With no other shards than those of these lines; null: not planned so far. */
  readonly plan: WorkPlan | null;
  /** Index in the child of the first of them. */
  readonly first: number;
  /** Index in the parent of each. Ascending. */
  readonly lines: readonly number[];
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

const rangeOf = ({ first, lines }: Child): Range => ({ from: first, to: first + lines.length });

function within(plan: WorkPlan, { from, to }: Range): WorkPlan {
  const shards = plan.shards.filter(({ firstLine, count }) => firstLine + count > from && firstLine < to);
  return { ...plan, shards };
}

/** What of a part is kept: a line takes some 100 bytes beside its own. */
const weightOf = ({ lines }: DecodedPart): number => lines.reduce((sum, { bytes }) => sum + bytes.length + 100, 0);

/**
 * The results of an ended batch's children in the place of its failed lines, for one answer: of each child the records are read once,
 * and only what is in the answer's range of lines is held. A line that a child works on is not decided.
 */
export class MergedLines {
  readonly #world: Reader;
  readonly #root: SubmitObject;
  readonly #range: Range;
  readonly #children = new Map<string, Promise<readonly Child[]>>();
  readonly #parts = new KeptValues(bounds.mergedPartsKept, bounds.mergedPartBytesMax);
  #reads = 0;

  constructor(world: Reader, root: SubmitObject, range: Range) {
    this.#world = world;
    this.#root = root;
    this.#range = range;
  }

  /** So much was read for this answer that it should end here. */
  get isSpent(): boolean {
    return this.#reads >= bounds.mergedReadsMax;
  }

  /** The root's own lines from index `from` on, with those of its children merged in. Reads the children only for lines that failed. */
  merge(own: Lines, from: number): Promise<Lines> {
    return this.#merge(this.#root, this.#range, own, from);
  }

  async #merge(submit: SubmitObject, range: Range, own: Lines, from: number): Promise<Lines> {
    if (own.every((line) => line === null || line.ok)) return own;
    const merged = [...own];
    for (const child of await this.#childrenOf(submit, range)) await this.#apply(child, merged, from);
    return merged;
  }

  /** Puts the child's results in the place of failed lines: a success for good, else the newest failure. */
  async #apply(child: Child, merged: (PartLine | null)[], from: number): Promise<void> {
    const start = positionOf(child.lines, from);
    const lines = child.lines.slice(start, positionOf(child.lines, from + merged.length));
    if (lines.every((line) => merged[line - from]?.ok === true)) return;
    const inChild = await this.#linesOf(child, child.first + start, lines.length);
    for (const [index, line] of lines.entries()) {
      const at = line - from;
      const before = merged[at];
      const after = inChild[index] ?? null;
      if (before?.ok === true) continue;
      // What an earlier child still works on stays open, unless this one has the answer.
      if (before === null && after?.ok !== true) continue;
      merged[at] = after;
    }
  }

  async #linesOf(child: Child, from: number, count: number): Promise<Lines> {
    const { submit, plan } = child;
    const own: (PartLine | null)[] = Array.from({ length: count }, () => null);
    if (!plan) return own;
    for (const shard of within(plan, { from, to: from + count }).shards) {
      const part = await this.#part(submit, plan, shard);
      for (const [index, line] of part?.lines.entries() ?? []) {
        const at = shard.firstLine + index - from;
        if (at >= 0 && at < count) own[at] = line;
      }
    }
    return this.#merge(submit, rangeOf(child), own, from);
  }

  async #part(submit: SubmitObject, plan: WorkPlan, shard: WorkPlan['shards'][number]): Promise<DecodedPart | null> {
    const name = `${submit.batchId}/${shard.n}`;
    const kept = this.#parts.get(name);
    if (kept) return kept as DecodedPart;
    this.#reads++;
    const part = await readPart(this.#world, submit, plan, shard);
    if (part) this.#parts.set(name, part, weightOf(part));
    return part;
  }

  /** Children that have lines in the range, oldest first. */
  #childrenOf(submit: SubmitObject, range: Range): Promise<readonly Child[]> {
    const children = this.#children.get(submit.batchId) ?? this.#load(submit, range);
    this.#children.set(submit.batchId, children);
    return children;
  }

  async #load({ tenant, batchId }: SubmitObject, range: Range): Promise<readonly Child[]> {
    const ids = await childIds(this.#world.store, tenant, batchId);
    this.#reads++;
    const found: (Child | null)[] = ids.map(() => null);
    await sideBySide(ids.entries(), bounds.mergedChildrenAtOnce, async ([at, id]) => {
      found[at] = await this.#loadChild(tenant, id, range);
    });
    return found.filter((child) => child !== null);
  }

  async #loadChild(tenant: string, batchId: string, range: Range): Promise<Child | null> {
    const { store, records } = this.#world;
    // Its tombstone and records, its file, and its lines.
    this.#reads += 6;
    const submit = await loadChild(store, tenant, batchId);
    if (!submit) return null;
    const manifest = await records.manifest(tenant, batchId);
    if (manifest && (manifest.counts.total === 0 || !(await hasResults(this.#world, tenant, manifest)))) return null;
    const ofParent = await linesOfParent(store, submit);
    const first = positionOf(ofParent, range.from);
    const lines = ofParent.slice(first, positionOf(ofParent, range.to));
    if (lines.length === 0) return null;
    const plan = await records.plan(tenant, batchId);
    const inRange = plan?.kind === 'work' ? within(plan, { from: first, to: first + lines.length }) : null;
    return { submit, plan: inRange, first, lines };
  }
}
