import type { PartHeader } from '../contract/stored-objects.js';
import { partHeader } from '../contract/stored-objects.js';
import { EyrieError } from '../domain/errors.js';
import type { LineRecord } from './line/line-record.js';

/**
 * The object that decides a shard: a header line, then one line per line of the shard, `["o",LINE]` for the output file and
 * `["e",LINE]` for the error file. Each is JSON by itself, and LINE can be cut out without parsing it.
 */
const outputMark = '["o",';
const errorMark = '["e",';
const markLength = outputMark.length;

export type PartSummary = Omit<PartHeader, 'v' | 'count' | 'completed' | 'failed' | 'inputTokens' | 'outputTokens'>;

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

/** Takes a part apart. The lines' bytes are copies: they may be kept. */
export function decodePart(bytes: Uint8Array): { readonly header: PartHeader; readonly lines: readonly PartLine[] } {
  let at = bytes.indexOf(lineFeed) + 1;
  const header = partHeader.parse(JSON.parse(Buffer.from(bytes.subarray(0, at)).toString('utf8')));
  const lines: PartLine[] = [];
  while (at < bytes.length) {
    const end = bytes.indexOf(lineFeed, at);
    if (end < 0) throw new EyrieError('internal_error', 'A part was cut: its last line has no end.');
    // Not `bytes.slice`: on a Buffer that is a view, and the write below would change the part itself.
    const line = Uint8Array.prototype.slice.call(bytes, at + markLength, end);
    line[line.length - 1] = lineFeed; // in place of the closing bracket
    lines.push({ ok: bytes[at + 2] === outputMark.charCodeAt(2), bytes: line });
    at = end + 1;
  }
  return { header, lines };
}
