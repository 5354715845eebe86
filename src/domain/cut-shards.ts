import { bounds } from './bounds.js';

/** What a shard needs to know of a line: where it lies and how long it may take. */
export interface LineExtent {
  /** Offset of the line's first byte, and of the byte behind its line end. */
  readonly start: number;
  readonly end: number;
  /** Prompt tokens plus the most tokens it may generate: an upper bound of its work. */
  readonly tokens: number;
  /** Estimate of its answer. */
  readonly answerBytes: number;
  /** What its answers must satisfy: equal for equal grammars, and the memory that it takes. */
  readonly grammar?: { readonly key: string; readonly bytes: number };
}

export interface ShardCut {
  readonly byteStart: number;
  readonly byteEnd: number;
  /** Index of its first counted line. */
  readonly firstLine: number;
  readonly count: number;
  readonly tokens: number;
}

export interface ShardRules {
  /** Of the first shards, and how many those are; `linesMax` is that of the shards behind them. */
  readonly firstShards: number;
  readonly firstLinesMax: number;
  readonly linesMax: number;
  readonly tokensMax: number;
  readonly bytesMax: number;
  readonly answerBytesMax: number;
  /** Of its different grammars together. */
  readonly grammarBytesMax: number;
}

const usualRules: ShardRules = {
  firstShards: bounds.firstShards,
  firstLinesMax: bounds.firstShardLinesMax,
  linesMax: bounds.shardLinesMax,
  tokensMax: bounds.shardTokensMax,
  bytesMax: bounds.shardBytesMax,
  answerBytesMax: bounds.shardAnswerBytesMax,
  grammarBytesMax: bounds.shardGrammarBytesMax,
};

/**
 * Cuts a stream of counted lines into shards of contiguous lines. A shard ends before it would pass a bound, so its time is
 * bounded, except that one line larger than a bound is a shard of its own.
 */
export class ShardCutter {
  readonly #rules: ShardRules;
  #open: ShardCut | null = null;
  /** Of the open shard. */
  #answerBytes = 0;
  #closed = 0;
  /** Of the open shard. */
  readonly #grammars = new Set<string>();
  #grammarBytes = 0;

  constructor(rules: Partial<ShardRules> = {}) {
    this.#rules = { ...usualRules, ...rules };
  }

  /** Takes the next line; returns the shard that it closed, if any. */
  add(line: LineExtent): ShardCut | null {
    const open = this.#open;
    const { firstShards, firstLinesMax, linesMax, tokensMax, bytesMax, answerBytesMax, grammarBytesMax } = this.#rules;
    const countMax = this.#closed < firstShards ? firstLinesMax : linesMax;
    const fits =
      open &&
      open.tokens + line.tokens <= tokensMax &&
      line.end - open.byteStart <= bytesMax &&
      this.#answerBytes + line.answerBytes <= answerBytesMax &&
      this.#grammarBytes + this.#bytesOfNew(line) <= grammarBytesMax;
    if (open && fits && open.count < countMax) {
      this.#noteGrammar(line);
      this.#open = { ...open, byteEnd: line.end, count: open.count + 1, tokens: open.tokens + line.tokens };
      this.#answerBytes += line.answerBytes;
      return null;
    }
    this.#answerBytes = line.answerBytes;
    this.#open = {
      byteStart: line.start,
      byteEnd: line.end,
      firstLine: open ? open.firstLine + open.count : 0,
      count: 1,
      tokens: line.tokens,
    };
    this.#grammars.clear();
    this.#grammarBytes = 0;
    this.#noteGrammar(line);
    if (open) this.#closed++;
    return open;
  }

  /** The last shard, once all lines were taken. */
  end(): ShardCut | null {
    const open = this.#open;
    this.#open = null;
    return open;
  }

  #bytesOfNew({ grammar }: LineExtent): number {
    return grammar && !this.#grammars.has(grammar.key) ? grammar.bytes : 0;
  }

  #noteGrammar(line: LineExtent): void {
    this.#grammarBytes += this.#bytesOfNew(line);
    if (line.grammar) this.#grammars.add(line.grammar.key);
  }
}
