import { bounds } from './bounds.js';

/**
 * A shard that took its worker with it, or failed as a whole, is a suspect. It is carried out in ranges of lines, one after the
 * other and with nothing beside it, so that a failure names its range. A range that failed is divided; a single line that goes on
 * failing is given up. What becomes of a shard follows from what was noted of its ranges alone, so that any worker can go on where
 * another has died.
 *
 *     range                                what is to be done
 *     has its results                      nothing
 *     no failure so far                    run it
 *     failed, more than one line           divide it; or give it up, when its batch has failed too often
 *     failed, one line                     run it again, up to `lineAttemptsMax` times; then give it up
 *
 * A shard of 256 lines with one that always kills its worker costs five workers: one that ran it beside others, one at 32 lines,
 * one at 4, and two at the line.
 */
export interface LineRange {
  /** Index within the shard. */
  readonly first: number;
  readonly count: number;
}

export interface RangeNotes {
  /** Attempts that began and gave no results. */
  readonly failures: number;
  readonly done: boolean;
}

export interface RangesToDo {
  readonly run: readonly LineRange[];
  readonly done: readonly LineRange[];
  readonly givenUp: readonly LineRange[];
}

export const rangeName = ({ first, count }: LineRange): string =>
  `${String(first).padStart(6, '0')}-${String(count).padStart(6, '0')}`;

function divide({ first, count }: LineRange, size: number): LineRange[] {
  const ranges: LineRange[] = [];
  for (let at = 0; at < count; at += size) ranges.push({ first: first + at, count: Math.min(size, count - at) });
  return ranges;
}

/** In line order. `exhausted`: the batch has failed so often that a range which fails is given up as a whole. */
export function rangesToDo(lines: number, notes: ReadonlyMap<string, RangeNotes>, exhausted: boolean): RangesToDo {
  const run: LineRange[] = [];
  const done: LineRange[] = [];
  const givenUp: LineRange[] = [];
  const look = (range: LineRange): void => {
    const { failures, done: hasResults } = notes.get(rangeName(range)) ?? { failures: 0, done: false };
    if (hasResults) done.push(range);
    else if (failures === 0) run.push(range);
    else if (range.count > 1 && !exhausted) divide(range, Math.ceil(range.count / bounds.suspectParts)).forEach(look);
    else if (range.count > 1) giveUpRest(range);
    else if (failures < bounds.lineAttemptsMax && !exhausted) run.push(range);
    else givenUp.push(range);
  };
  /** What parts of it have results keep them. */
  const giveUpRest = (range: LineRange): void => {
    const inside = [...notes]
      .filter(([, { done: hasResults }]) => hasResults)
      .map(([name]) => parseRange(name))
      .filter((found) => found.first >= range.first && found.first + found.count <= range.first + range.count)
      .toSorted((a, b) => a.first - b.first || b.count - a.count);
    let at = range.first;
    for (const found of inside) {
      // Two workers at once may have left results of a range and of parts of it.
      if (found.first < at) continue;
      if (found.first > at) givenUp.push({ first: at, count: found.first - at });
      done.push(found);
      at = found.first + found.count;
    }
    const end = range.first + range.count;
    if (at < end) givenUp.push({ first: at, count: end - at });
  };
  divide({ first: 0, count: lines }, bounds.suspectLinesFirst).forEach(look);
  return { run, done, givenUp };
}

export function parseRange(name: string): LineRange {
  const [first = 0, count = 0] = name.split('-').map(Number);
  return { first, count };
}
