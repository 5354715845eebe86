import type { PartHeader } from '../contract/stored-objects.js';
import { partHeader } from '../contract/stored-objects.js';
import { EyrieError } from '../domain/errors.js';
import type { Clock } from '../ports/clock.js';
import { Breather } from './breather.js';
import { parseStored } from './stored-json.js';
import type { LineRecord } from './line/line-record.js';

/**
 * The object that decides a shard: a header line, then one line per line of the shard, `["o",LINE]` for the output file and
 * `["e",LINE]` for the error file. Each is JSON by itself, and LINE can be cut out without parsing it.
 */
const outputMark = '["o",';
const errorMark = '["e",';
const markLength = outputMark.length;

export type PartSummary = Omit<
  PartHeader,
  'v' | 'count' | 'completed' | 'failed' | 'inputTokens' | 'outputTokens' | 'givenUp'
>;

function countGivenUp(records: readonly LineRecord[]): PartHeader['givenUp'] {
  const counts: PartHeader['givenUp'] = {};
  for (const { givenUp } of records) if (givenUp !== undefined) counts[givenUp] = (counts[givenUp] ?? 0) + 1;
  return counts;
}

function headerOf(summary: PartSummary, records: readonly LineRecord[]): PartHeader {
  const completed = records.filter(({ ok }) => ok).length;
  return {
    v: 1,
    ...summary,
    count: records.length,
    completed,
    failed: records.length - completed,
    inputTokens: records.reduce((sum, record) => sum + record.inputTokens, 0),
    outputTokens: records.reduce((sum, record) => sum + record.outputTokens, 0),
    givenUp: countGivenUp(records),
  };
}

/** Characters that are encoded in one go: up to 5 ms. */
const encodedChars = 1024 * 1024;

function* encoded(header: PartHeader, records: readonly LineRecord[]): Generator<Buffer> {
  yield Buffer.from(`${JSON.stringify(header)}\n`);
  for (const { ok, json } of records) {
    const line = `${ok ? outputMark : errorMark}${json}]\n`;
    for (let at = 0; at < line.length;) {
      let end = Math.min(at + encodedChars, line.length);
      // Both halves of a surrogate pair are encoded together.
      if (end < line.length && (line.charCodeAt(end - 1) & 0xfc00) === 0xd800) end--;
      yield Buffer.from(line.slice(at, end));
      at = end;
    }
  }
}

export interface EncodedPart {
  readonly header: PartHeader;
  readonly bytes: Uint8Array;
}

/** For parts without answers: nobody else gets a turn. */
export function encodePart(summary: PartSummary, records: readonly LineRecord[]): EncodedPart {
  const header = headerOf(summary, records);
  return { header, bytes: Buffer.concat([...encoded(header, records)]) };
}

/** The same with turns for others in between: answers may have megabytes. */
export async function encodePartInTurns(
  clock: Pick<Clock, 'monotonic' | 'turn'>,
  summary: PartSummary,
  records: readonly LineRecord[],
): Promise<EncodedPart> {
  const header = headerOf(summary, records);
  const breather = new Breather(clock);
  const pieces: Buffer[] = [];
  for (const piece of encoded(header, records)) {
    pieces.push(piece);
    if (breather.due) await breather.pause();
  }
  return { header, bytes: Buffer.concat(pieces) };
}

export interface PartLine {
  readonly ok: boolean;
  /** The result line, without a line feed. */
  readonly bytes: Uint8Array;
}

const lineFeed = 0x0a;

/** The records of a decoded part. What its lines took is known in sum only: it stands with the first one. */
export function recordsOf({ header, lines }: DecodedPart): LineRecord[] {
  return lines.map(({ ok, bytes }, at) => ({
    ok,
    json: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'),
    inputTokens: at === 0 ? header.inputTokens : 0,
    outputTokens: at === 0 ? header.outputTokens : 0,
  }));
}

export interface DecodedPart {
  readonly header: PartHeader;
  readonly lines: readonly PartLine[];
}

/** Takes a part apart. The lines' bytes are views of it: it may have megabytes. */
export function decodePart(bytes: Uint8Array): DecodedPart {
  let at = bytes.indexOf(lineFeed) + 1;
  const header = parseStored(bytes.subarray(0, at), partHeader);
  const lines: PartLine[] = [];
  while (at < bytes.length) {
    const end = bytes.indexOf(lineFeed, at);
    if (end < 0) throw new EyrieError('internal_error', `Part ${header.shard} is cut off in its line ${lines.length}.`);
    // Up to the closing bracket.
    const line = bytes.subarray(at + markLength, end - 1);
    lines.push({ ok: bytes[at + 2] === outputMark.charCodeAt(2), bytes: line });
    at = end + 1;
  }
  return { header, lines };
}
