import { bounds } from './bounds.js';

/** What a shard needs to know of a line: where it lies and how long it may take. */
export interface LineExtent {
  /** Offset of the line's first byte, and of the byte behind its line end. */
  readonly start: number;
  readonly end: number;
  /** Prompt tokens plus the most tokens it may generate: an upper bound of its work. */
  readonly tokens: number;
}

export interface ShardCut {
  readonly byteStart: number;
  readonly byteEnd: number;
  /** Index of its first counted line. */
  readonly firstLine: number;
  readonly count: number;
  readonly tokens: number;
}

/**
 * Cuts a stream of counted lines into shards of contiguous lines. A shard ends before it would pass a bound, so its time is
 * bounded, except that one line larger than the token bound is a shard of its own.
 */
export class ShardCutter {
  readonly #linesMax: number;
  readonly #tokensMax: number;
  #open: ShardCut | null = null;

  constructor(linesMax: number = bounds.shardLinesMax, tokensMax: number = bounds.shardTokensMax) {
    this.#linesMax = linesMax;
    this.#tokensMax = tokensMax;
  }

  /** Takes the next line; returns the shard that it closed, if any. */
  add(line: LineExtent): ShardCut | null {
    const open = this.#open;
    if (open && open.count < this.#linesMax && open.tokens + line.tokens <= this.#tokensMax) {
      this.#open = { ...open, byteEnd: line.end, count: open.count + 1, tokens: open.tokens + line.tokens };
      return null;
    }
    this.#open = {
      byteStart: line.start,
      byteEnd: line.end,
      firstLine: open ? open.firstLine + open.count : 0,
      count: 1,
      tokens: line.tokens,
    };
    return open;
  }

  /** The last shard, once all lines were taken. */
  end(): ShardCut | null {
    const open = this.#open;
    this.#open = null;
    return open;
  }
}
