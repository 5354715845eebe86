import type { BatchError, ValidationMode } from '../contract/batch-object.js';
import type { PlannedShard } from '../contract/stored-objects.js';
import { bounds, type BoundName } from '../domain/bounds.js';
import { ShardCutter, type ShardCut } from '../domain/cut-shards.js';
import { EyrieError } from '../domain/errors.js';
import { grammarKey, grammarMemory } from '../domain/grammar.js';
import { isBlank, splitJsonl, type JsonlLine } from '../domain/jsonl-splitter.js';
import type { Endpoint } from '../domain/served-model.js';
import type { Clock } from '../ports/clock.js';
import { checkLineRequest, lineSize, type LineRequest, type LineRules, type LineSize } from './line/line-request.js';
import { Breather } from './breather.js';
import { claimCustomId } from './line/run-line.js';
import { LineRejection, readLine, type LineEnvelope } from './line/read-line.js';
import { ShardDigest } from './shard-digest.js';

export interface ValidationRules extends LineRules {
  /** null: the first request decides, and all others must match it. */
  readonly endpoint: Endpoint | null;
  readonly mode: ValidationMode;
  /** Sees every line that is a request, in order; with it, the good lines of a file with bad ones are measured too. */
  readonly observer?: LineObserver;
  /** Others get their turn between lines. */
  readonly clock: Pick<Clock, 'monotonic' | 'turn'>;
}

/** What became of a line's body: ready to generate, or the error that its result will be. */
export type LineObserver = (line: JsonlLine, outcome: LineRequest | EyrieError) => void;

export interface ValidInput extends LineSize {
  readonly endpoint: Endpoint;
  readonly lines: number;
  readonly shards: readonly PlannedShard[];
}

/** All that is wrong with an input file. Lists the first errors in line order, then one entry that gives the total. */
export class InvalidInput extends Error {
  readonly errors: readonly BatchError[];
  /** Requests seen, and those of them that are none. */
  readonly lines: number;
  readonly badLines: number;
  /** What the file has more of than is allowed; null: something else is wrong. */
  readonly bound: BoundName | null;

  constructor(errors: readonly BatchError[], lines: number, badLines: number, bound: BoundName | null) {
    super('The input file is not valid.');
    this.errors = errors;
    this.lines = lines;
    this.badLines = badLines;
    this.bound = bound;
  }
}

type Rejected = PlannedShard['rejected'][number];

/** Lines whose prompts are tokenized side by side: so many, and no more than these bytes and one line, since all are in memory. */
const windowLines = 256;
const windowBytes = 256 * 1024;

interface Counted {
  readonly line: JsonlLine;
  readonly rejected: Rejected | null;
  /** null: the line is no request. */
  readonly outcome: LineRequest | EyrieError | null;
}

const noTokens: LineSize = Object.freeze({ promptTokens: 0, outputTokensMost: 0, tokens: 0 });

/** A line whose body is wrong takes no tokens: the worker gives it its error. */
const sizeOf = (outcome: Counted['outcome']): LineSize =>
  outcome === null || outcome instanceof EyrieError ? noTokens : lineSize(outcome);

/** Collects what the lines of a file say together: one endpoint, unique custom_ids, bounded numbers. */
class FileChecker {
  readonly #rules: ValidationRules;
  readonly #customIds = new Set<string>();
  endpoint: Endpoint | null;
  readonly errors: BatchError[] = [];
  errorsTotal = 0;
  lines = 0;

  constructor(rules: ValidationRules) {
    this.#rules = rules;
    this.endpoint = rules.endpoint;
  }

  /** The line's envelope, or why it is no request. */
  check(line: JsonlLine): LineEnvelope | Rejected {
    const index = this.lines++;
    if (this.lines > bounds.batchLinesMax)
      throw this.#invalid(
        [
          {
            code: 'too_many_tasks',
            message: `The file has more than ${bounds.batchLinesMax} requests. Split it into several batches.`,
            param: null,
            line: null,
          },
        ],
        'batchLinesMax',
      );
    try {
      const envelope = readLine(line.bytes, this.endpoint, this.#rules.model);
      claimCustomId(envelope.customId, this.#customIds);
      this.endpoint ??= envelope.endpoint;
      return envelope;
    } catch (error) {
      if (!(error instanceof LineRejection)) throw error;
      const entry = { code: error.code, message: error.message, param: error.param, line: line.number };
      this.errorsTotal++;
      if (this.errors.length < bounds.batchErrorsListedMax) this.errors.push(entry);
      if (this.#rules.mode === 'lenient' && this.errorsTotal > bounds.rejectedLinesMax)
        throw this.#invalid(
          [
            {
              code: 'too_many_bad_lines',
              message: `More than ${bounds.rejectedLinesMax} lines are no requests.`,
              param: null,
              line: null,
            },
            ...this.errors,
          ],
          'rejectedLinesMax',
        );
      return { ...entry, index, customId: error.customId };
    }
  }

  /** Throws when the file as a whole is not valid. */
  conclude(): Endpoint {
    if (this.lines === 0)
      throw this.#invalid([{ code: 'empty_file', message: 'The file contains no requests.', param: null, line: null }]);
    const strict = this.#rules.mode === 'strict';
    if (this.errorsTotal > 0 && (strict || this.errorsTotal === this.lines)) {
      const more = this.errorsTotal - this.errors.length;
      const total = {
        code: 'invalid_request',
        message: `${this.errorsTotal} lines have errors; ${more} more are not listed.`,
        param: null,
        line: null,
      };
      throw this.#invalid(more > 0 ? [...this.errors, total] : this.errors);
    }
    return this.endpoint ?? '/v1/completions';
  }

  /** Throws when the work is cut into more shards than a batch may have. */
  checkShards({ shards, size }: ShardBuilder): void {
    if (shards.length <= bounds.shardsPerBatchMax) return;
    throw this.#invalid(
      [
        {
          code: 'too_many_tasks',
          message: `The first ${this.lines} requests may take ${size.tokens} tokens, and would be cut into more than ${bounds.shardsPerBatchMax} pieces of work. Split the file into several batches, or lower max_tokens or n.`,
          param: null,
          line: null,
        },
      ],
      'shardsPerBatchMax',
    );
  }

  #invalid(errors: readonly BatchError[], bound: BoundName | null = null): InvalidInput {
    return new InvalidInput(errors, this.lines, this.errorsTotal, bound);
  }
}

async function readBody(envelope: LineEnvelope, rules: LineRules): Promise<LineRequest | EyrieError> {
  try {
    return await checkLineRequest(envelope, rules);
  } catch (error) {
    if (error instanceof EyrieError) return error;
    throw error;
  }
}

/** Turns counted lines into shards with digests, in one pass. */
class ShardBuilder {
  readonly #cutter = new ShardCutter();
  #digest = new ShardDigest();
  #rejected: Rejected[] = [];
  readonly shards: PlannedShard[] = [];
  size: LineSize = noTokens;

  add({ line, rejected, outcome }: Counted): void {
    const size = sizeOf(outcome);
    const request = outcome && 'sampling' in outcome ? outcome : null;
    const grammar = request?.sampling.grammar ?? null;
    const closed = this.#cutter.add({
      start: line.start,
      end: line.end,
      tokens: size.tokens,
      answerBytes: request?.answerBytes ?? 0,
      ...(grammar ? { grammar: { key: grammarKey(grammar), bytes: grammarMemory(grammar) } } : {}),
    });
    if (closed) this.#close(closed);
    this.#digest.add(line.bytes);
    if (rejected) this.#rejected.push(rejected);
    this.size = {
      promptTokens: this.size.promptTokens + size.promptTokens,
      outputTokensMost: this.size.outputTokensMost + size.outputTokensMost,
      tokens: this.size.tokens + size.tokens,
    };
  }

  end(): void {
    const closed = this.#cutter.end();
    if (closed) this.#close(closed);
  }

  #close(cut: ShardCut): void {
    const noRequests = this.#rejected.map(({ index, line }): [number, number] => [index, line ?? 0]);
    const sha256 = this.#digest.hex();
    this.shards.push({ n: this.shards.length, ...cut, sha256, noRequests, rejected: this.#rejected });
    this.#digest = new ShardDigest();
    this.#rejected = [];
  }
}

/**
 * Reads the input once, checks every line, counts tokens and cuts shards. Memory is bounded by the plan, not by the file. A pure
 * function of input and rules. Throws `InvalidInput` with all that is wrong.
 */
export async function validateInput(source: AsyncIterable<Uint8Array>, rules: ValidationRules): Promise<ValidInput> {
  const checker = new FileChecker(rules);
  const builder = new ShardBuilder();
  const breather = new Breather(rules.clock);
  let window: Promise<Counted>[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    for (const counted of await Promise.all(window)) {
      builder.add(counted);
      if (counted.outcome) rules.observer?.(counted.line, counted.outcome);
    }
    checker.checkShards(builder);
    window = [];
    bytes = 0;
  };
  for await (const line of splitJsonl(source, bounds.lineBytesMax)) {
    if (breather.due) await breather.pause();
    if (line.bytes && isBlank(line.bytes)) continue;
    const checked = checker.check(line);
    // Once a strict file has an error no shard will be cut: the rest is only checked.
    if (rules.mode === 'strict' && checker.errorsTotal > 0 && !rules.observer) continue;
    const counted =
      'index' in checked
        ? Promise.resolve({ line, rejected: checked, outcome: null })
        : readBody(checked, rules).then((outcome) => ({ line, rejected: null, outcome }));
    // Looked at with its window; until then a failure must not count as unhandled.
    counted.catch(() => undefined);
    window.push(counted);
    bytes += line.length;
    if (window.length >= windowLines || bytes >= windowBytes) await flush();
  }
  if (rules.observer) await flush();
  const endpoint = checker.conclude();
  await flush();
  builder.end();
  checker.checkShards(builder);
  return { endpoint, lines: checker.lines, ...builder.size, shards: builder.shards };
}
