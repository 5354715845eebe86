import type { ManifestObject, PartHeader, PlannedShard, WorkPlan } from '../../contract/stored-objects.js';
import type { Verdict } from '../../domain/batch-state.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { Clock } from '../../ports/clock.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { noWaste } from '../give-up-shard.js';
import { decodePart, type DecodedPart, type PartLine } from '../part.js';
import { addShapes } from '../shape-meter.js';
import { readAhead } from './read-ahead.js';

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
  readonly givenUp: Record<string, number>;
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
  for (const [code, lines] of Object.entries(header.givenUp)) tally.givenUp[code] = (tally.givenUp[code] ?? 0) + lines;
}

export interface PartSource {
  readonly load: LoadPart;
  /** What a part takes in memory, about: its size in the store. */
  readonly bytesOf: (shard: PlannedShard) => number;
}

const lineFeed = Buffer.from('\n');

/** The lines one after the other: small ones together, long ones in pieces, since each piece is digested in one go. */
function* inPieces(lines: readonly PartLine[]): Generator<Uint8Array> {
  let piece: Uint8Array[] = [];
  let bytes = 0;
  for (const { bytes: line } of lines) {
    for (let at = 0; at < line.length; at += bounds.fileChunkBytes) {
      const more = line.subarray(at, at + bounds.fileChunkBytes);
      piece.push(more);
      bytes += more.length;
      if (bytes < bounds.fileChunkBytes) continue;
      yield Buffer.concat(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(lineFeed);
    bytes++;
  }
  if (bytes > 0) yield Buffer.concat(piece);
}

/** Takes lines that go into one of the two files, or a piece of one. */
export type WriteLines = (kind: 'output' | 'errors', lines: Uint8Array) => Promise<void>;

/**
 * Reads every part once, several side by side, and gives its lines away in the order of the input: first those of the output file,
 * then those of the error file. Throws `internal_error` for a part with other than its shard's lines.
 */
export async function mergeParts(
  clock: Pick<Clock, 'turn'>,
  plan: WorkPlan,
  { load, bytesOf }: PartSource,
  write: WriteLines,
): Promise<Tally> {
  /** Since others had a turn. */
  let written = 0;
  const tally: Tally = {
    completed: 0,
    failed: 0,
    inputTokens: 0,
    outputTokens: 0,
    shapes: noWaste,
    verdicts: new Set(),
    givenUp: {},
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
    for (const kind of ['output', 'errors'] as const)
      for (const piece of inPieces(lines.filter(({ ok }) => ok === (kind === 'output')))) {
        await write(kind, piece);
        written += piece.length;
        if (written < bounds.fileChunkBytes) continue;
        await clock.turn();
        written = 0;
      }
  }
  return tally;
}
