import type { PartHeader } from '../contract/stored-objects.js';
import { partHeader } from '../contract/stored-objects.js';
import { EyrieError } from '../domain/errors.js';
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

export function encodePart(
  summary: PartSummary,
  records: readonly LineRecord[],
): { readonly header: PartHeader; readonly bytes: Uint8Array } {
  const completed = records.filter(({ ok }) => ok).length;
  const header: PartHeader = {
    v: 1,
    ...summary,
    count: records.length,
    completed,
    failed: records.length - completed,
    inputTokens: records.reduce((sum, record) => sum + record.inputTokens, 0),
    outputTokens: records.reduce((sum, record) => sum + record.outputTokens, 0),
    givenUp: countGivenUp(records),
  };
  const lines = records.map(({ ok, json }) => `${ok ? outputMark : errorMark}${json}]\n`);
  return { header, bytes: Buffer.from(`${JSON.stringify(header)}\n${lines.join('')}`) };
}

export interface PartLine {
  readonly ok: boolean;
  /** The result line with a line feed behind it. */
  readonly bytes: Uint8Array;
}

const lineFeed = 0x0a;

/** The records of a decoded part. What its lines took is known in sum only: it stands with the first one. */
export function recordsOf({ header, lines }: DecodedPart): LineRecord[] {
  return lines.map(({ ok, bytes }, at) => ({
    ok,
    json: Buffer.from(bytes.subarray(0, -1)).toString('utf8'),
    inputTokens: at === 0 ? header.inputTokens : 0,
    outputTokens: at === 0 ? header.outputTokens : 0,
  }));
}

export interface DecodedPart {
  readonly header: PartHeader;
  readonly lines: readonly PartLine[];
}

/** Takes a part apart. The lines' bytes are copies: they may be kept. */
export function decodePart(bytes: Uint8Array): DecodedPart {
  let at = bytes.indexOf(lineFeed) + 1;
  const header = parseStored(bytes.subarray(0, at), partHeader);
  const lines: PartLine[] = [];
  while (at < bytes.length) {
    const end = bytes.indexOf(lineFeed, at);
    if (end < 0) throw new EyrieError('internal_error', `Part ${header.shard} is cut off in its line ${lines.length}.`);
    // Not `bytes.slice`: on a Buffer that is a view, and the write below would change the part itself.
    const line = Uint8Array.prototype.slice.call(bytes, at + markLength, end);
    line[line.length - 1] = lineFeed; // in place of the closing bracket
    lines.push({ ok: bytes[at + 2] === outputMark.charCodeAt(2), bytes: line });
    at = end + 1;
  }
  return { header, lines };
}
