import { createHash } from 'node:crypto';
import { EyrieError } from '../../domain/errors.js';
import type {
  Engine,
  EngineTotals,
  SequenceRequest,
  SequenceResult,
  TokenLogprobs,
  TokenNews,
} from '../../ports/engine.js';
import { fromNative } from './from-native.js';
import { loadAddon } from './load-addon.js';
import { SignalGroups } from './signal-groups.js';
import type { NativeGrammars } from './native-grammars.js';
import type {
  NativeEngine,
  NativeEngineInfo,
  NativeEngineOptions,
  NativeGrammar,
  NativeReport,
  NativeRequest,
  NativeResult,
  NativeTokens,
} from './native-types.js';

export interface OpenEngineOptions extends NativeEngineOptions {
  /** Identity of the model's files; part of the fingerprint. */
  readonly modelDigest: string;
  readonly grammars: NativeGrammars;
}

function toNative(request: SequenceRequest, grammar: NativeGrammar | null, group: number): NativeRequest {
  const { logitBias, stop, logprobs, ...same } = request;
  return {
    ...same,
    group,
    grammar,
    stop: stop.map((text) => Buffer.from(text)),
    logitBiasIds: Uint32Array.from(logitBias.keys()),
    logitBiasValues: Float32Array.from(logitBias.values()),
    logprobs: logprobs ?? -1,
  };
}

function toLogprobs(
  chosen: Float32Array | null,
  topIds: Uint32Array | null,
  topLogprobs: Float32Array | null,
  k: number,
): TokenLogprobs | null {
  return chosen && { chosen, topIds: topIds ?? new Uint32Array(0), topLogprobs: topLogprobs ?? new Float32Array(0), k };
}

function fromResult(result: NativeResult & { readonly finishReason: 'stop' | 'length' }, k: number): SequenceResult {
  return {
    tokenIds: result.tokenIds,
    textBytes: result.textBytes,
    finishReason: result.finishReason,
    logprobs: toLogprobs(result.logprobs, result.topIds, result.topLogprobs, k),
    promptLogprobs: toLogprobs(result.promptLogprobs, result.promptTopIds, result.promptTopLogprobs, k),
  };
}

const fromTokens = ({ tokenIds, logprobs, topIds, topLogprobs }: NativeTokens, k: number): TokenNews => ({
  tokenIds,
  logprobs: toLogprobs(logprobs, topIds, topLogprobs, k),
});

/** The native engine behind the `Engine` port: copies requests over, maps aborts to cancels and errors to codes. */
export class NativeEngineAdapter implements Engine {
  readonly fingerprint: string;
  readonly info: NativeEngineInfo;
  readonly #native: NativeEngine;
  readonly #grammars: NativeGrammars;
  readonly #groups: SignalGroups;
  #nextId = 1;

  private constructor(native: NativeEngine, grammars: NativeGrammars, modelDigest: string) {
    this.#native = native;
    this.#grammars = grammars;
    this.#groups = new SignalGroups((id) => native.cancel(id));
    this.info = native.info;
    const { numerics, dtype, kind } = native.info;
    this.fingerprint = `fp_${createHash('sha256').update([numerics, dtype, kind, modelDigest].join('\0')).digest('hex').slice(0, 16)}`;
  }

  /** Loads the weights, off the main thread. Throws coded errors: `model_invalid`, `unsupported_device`, `out_of_memory`, ... */
  static async open(
    options: OpenEngineOptions,
    onProgress: (bytesDone: number, bytesTotal: number) => void = () => undefined,
  ): Promise<NativeEngineAdapter> {
    const { modelDigest, grammars, ...native } = options;
    try {
      return new NativeEngineAdapter(await loadAddon().openEngine(native, onProgress), grammars, modelDigest);
    } catch (error) {
      throw fromNative(error);
    }
  }

  async generate(
    request: SequenceRequest,
    signal: AbortSignal,
    onTokens?: (news: TokenNews) => void,
  ): Promise<SequenceResult> {
    signal.throwIfAborted();
    const grammar = request.grammar && (await this.#grammars.compiled(request.grammar));
    signal.throwIfAborted();
    const k = request.logprobs ?? 0;
    const id = this.#nextId++;
    const group = this.#groups.of(signal);
    group.live.add(id);
    try {
      const result = await this.#native.generate(
        id,
        toNative(request, grammar, group.number),
        onTokens && ((tokens) => onTokens(fromTokens(tokens, k))),
      );
      const { finishReason } = result;
      if (finishReason === 'cancelled') {
        signal.throwIfAborted();
        throw new EyrieError('internal_error', 'The engine cancelled a sequence that nobody had cancelled.');
      }
      return fromResult({ ...result, finishReason }, k);
    } catch (error) {
      throw fromNative(error);
    } finally {
      group.live.delete(id);
    }
  }

  totals(): EngineTotals {
    return this.#native.report();
  }

  /** Everything the engine counts, times too. */
  nativeReport(): NativeReport {
    return this.#native.report();
  }

  close(): Promise<void> {
    return this.#native.close();
  }
}
