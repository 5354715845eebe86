import { bounds } from '../domain/bounds.js';
import { isBlank, splitJsonl } from '../domain/jsonl-splitter.js';
import { Breather } from './breather.js';
import type { LineRecord } from './line/line-record.js';
import { runLine, type LineRunner } from './line/run-line.js';

/** Lines given to the engine ahead of the one that is written next: enough to order them by length, bounded in memory. */
const windowLines = 4096;

/**
 * Carries out a batch file without queue or server: the same lines, validation and engine as a batch, and the same bytes. Yields
 * one record per counted line, in input order. A failure of the engine is thrown.
 */
export async function* runOffline(
  runner: LineRunner,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<LineRecord> {
  const checked: LineRunner = { ...runner, customIds: new Set() };
  const breather = new Breather(runner.clock);
  const waiting: Promise<LineRecord>[] = [];
  for await (const { bytes } of splitJsonl(source, bounds.lineBytesMax)) {
    if (bytes && isBlank(bytes)) continue;
    if (breather.due) await breather.pause();
    const record = runLine(checked, bytes, null, signal);
    // Looked at when its turn comes; until then a failure must not count as unhandled.
    record.catch(() => undefined);
    waiting.push(record);
    const first = waiting.length >= windowLines ? waiting.shift() : undefined;
    if (first) yield await first;
  }
  for (const record of waiting) yield await record;
}
