import type { ManifestObject, PartHeader, PlannedShard, WorkPlan } from '../../contract/stored-objects.js';
import type { Verdict } from '../../domain/batch-state.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { noWaste } from '../give-up-shard.js';
import { decodePart, type PartLine } from '../part.js';
import { addShapes } from '../shape-meter.js';
import { readAhead } from './read-ahead.js';

export interface DecodedPart {
  readonly header: PartHeader;
  readonly lines: readonly PartLine[];
}

/** Gets what a shard has become; throws when that cannot be read. */
export type LoadPart = (shard: PlannedShard) => Promise<DecodedPart>;

/** What the parts of a batch say together. */
export interface Tally {
  completed: number;
  failed: number;
  inputTokens: number;
  outputTokens: number;
  shapes: ManifestObject['shapes'];
  readonly verdicts: Set<Verdict>;
  /** Infinity: nothing ran. */
  startedMs: number;
  finishedMs: number;
}

const wrongPart = ({ n, count }: PlannedShard, lines: number): EyrieError =>
  new EyrieError('internal_error', `Part ${n} has ${lines} of ${count} lines.`);

/** The parts as they lie in the store. */
export const storedParts =
  (store: ObjectStore, tenant: string, batchId: string): LoadPart =>
  async (shard) => {
    const part = await store.get(keys.part(tenant, batchId, shard.n));
    if (!part) throw wrongPart(shard, 0);
    return decodePart(part.bytes);
  };

function addHeader(tally: Tally, header: PartHeader): void {
  tally.completed += header.completed;
  tally.failed += header.failed;
  tally.inputTokens += header.inputTokens;
  tally.outputTokens += header.outputTokens;
  tally.shapes = addShapes(tally.shapes, header.shapes);
  if (header.outputTokens > 0) tally.startedMs = Math.min(tally.startedMs, header.startedMs);
  tally.finishedMs = Math.max(tally.finishedMs, header.finishedMs);
  if (header.verdict) tally.verdicts.add(header.verdict);
}

export interface PartSource {
  readonly load: LoadPart;
  /** What a part takes in memory, about: its size in the store. */
  readonly bytesOf: (shard: PlannedShard) => number;
}

/** Takes the lines of one shard that go into one of the two files; a part without such lines is passed over. */
export type WriteLines = (kind: 'output' | 'errors', lines: Uint8Array) => Promise<void>;

/**
 * Reads every part once, several side by side, and gives its lines away in the order of the input: first those of the output file,
 * then those of the error file. Throws `internal_error` for a part with other than its shard's lines.
 */
export async function mergeParts(plan: WorkPlan, { load, bytesOf }: PartSource, write: WriteLines): Promise<Tally> {
  const tally: Tally = {
    completed: 0,
    failed: 0,
    inputTokens: 0,
    outputTokens: 0,
    shapes: noWaste,
    verdicts: new Set(),
    startedMs: Infinity,
    finishedMs: plan.plannedMs,
  };
  const loaded = readAhead(plan.shards, async (shard) => ({ shard, part: await load(shard) }), {
    countMax: bounds.partReadsMax,
    weightMax: bounds.partReadBytesMax,
    weightOf: bytesOf,
  });
  for await (const { shard, part } of loaded) {
    const { header, lines } = part;
    if (lines.length !== shard.count || header.count !== shard.count) throw wrongPart(shard, lines.length);
    addHeader(tally, header);
    const ofKind = (ok: boolean): Uint8Array =>
      Buffer.concat(lines.filter((line) => line.ok === ok).map(({ bytes }) => bytes));
    if (lines.some(({ ok }) => ok)) await write('output', ofKind(true));
    if (lines.some(({ ok }) => !ok)) await write('errors', ofKind(false));
  }
  return tally;
}
