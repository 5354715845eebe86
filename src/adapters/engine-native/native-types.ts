import type { DeviceChoice, Dtype, Isa } from '../../domain/engine-choices.js';
import type { FalconShape } from '../../domain/falcon-shape.js';

/**
 * The addon's surface, mirrored member by member by `native/binding/`. Types stop here: the rest of the program sees the
 * `Engine` port. Rules of the bridge: plain transfer objects, the same names in the same order on both sides, `null` and
 * never "missing" for an absent value, and defaults only on the TypeScript side.
 */

/** All members of `FalconShape`, under their names there. */
export type NativeModelConfig = FalconShape;

export type NativeDtype = Dtype;
/** Widest instruction set the kernels may use; `auto` picks the best the CPU has. Asking for one it lacks is an error. */
export type NativeIsa = Isa;

/** What holds where the model is on a card. */
export interface NativeCudaOptions {
  /** File of libeyrie_cuda.so; null: `build-cuda/` beside the folder of the addon. */
  readonly library: string | null;
  /** Sequences decoded together, 1..1024. */
  readonly slots: number;
  /** Token budget of one prefill pack, 16..8192. */
  readonly prefillTokens: number;
  /** Pages of keys and values; 0: as many as the card's free memory holds. */
  readonly kvPages: number;
  /** Cards that share the model, 1..8: the first so many that the process sees. */
  readonly cards: number;
  /** With `fp8` and `int8`: the attention's output product, the feed-forward part's second one, stay bfloat16. */
  readonly keepDense: boolean;
  readonly keepDown: boolean;
}

export interface NativeEngineOptions {
  /** Folder with `model.safetensors`, or an index json and its shards. */
  readonly modelDirectory: string;
  readonly config: NativeModelConfig;
  readonly device: DeviceChoice;
  readonly dtype: NativeDtype;
  readonly isa: NativeIsa;
  /** Null with device `cpu`. */
  readonly cuda: NativeCudaOptions | null;
  /** Of the CPU, as is prefillTokens. Sequences decoded together, 1..1024. */
  readonly slots: number;
  /** Tokens of KV cache per slot, 1..contextTokens. */
  readonly slotTokens: number;
  /** Token budget of one prefill pack, 16..8192. */
  readonly prefillTokens: number;
  /** Compute threads, 1..256. */
  readonly threads: number;
  /** Ids that end a sequence unless the request says ignoreEos. */
  readonly stopTokenIds: Uint32Array;
  /** All tokens' bytes, one after the other; null when the checkpoint has no tokenizer (then text is empty and stop strings are refused). */
  readonly tokenBytes: Uint8Array | null;
  /** tokenByteEnds[i] = end of token i's bytes in tokenBytes; length vocabSize. */
  readonly tokenByteEnds: Uint32Array | null;
}

export interface NativeRequest {
  /** 1..contextTokens ids, each < vocabSize. */
  readonly promptIds: Uint32Array;
  /** 0 is allowed only with promptLogprobs. promptIds.length + maxTokens <= slotTokens. */
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  /** < 1e-5 = greedy, lowest id wins ties. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 = off. */
  readonly topK: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** 64-bit Philox key, and the key of this choice of this prompt; the counter is the token index. */
  readonly seed: bigint;
  readonly sequenceKey: bigint;
  /** UTF-8 bytes of each stop string; matched on the decoded bytes, never returned. */
  readonly stop: readonly Uint8Array[];
  readonly logitBiasIds: Uint32Array;
  readonly logitBiasValues: Float32Array;
  /** -1 = none, else the number of best tokens reported beside the chosen one, 0..20. */
  readonly logprobs: number;
  /** Log-probabilities of the prompt tokens too (with the same number of best tokens). */
  readonly promptLogprobs: boolean;
  /** Takes the next free slot before all requests that are not urgent. */
  readonly urgent: boolean;
  /** Requests of one group are wanted together: later ones of other groups overtake a waiting one only so often. 0 to 2^32 - 1. */
  readonly group: number;
  /** What the text must satisfy, of the model's vocabulary; null = anything. */
  readonly grammar: NativeGrammar | null;
}

export interface NativeGrammarOptions {
  /** As in NativeEngineOptions. */
  readonly tokenBytes: Uint8Array;
  readonly tokenByteEnds: Uint32Array;
  /** Never generated under a grammar, but for the end token. */
  readonly specialTokenIds: Uint32Array;
  /** Allowed where a grammar's text is complete. */
  readonly endTokenId: number;
}

export interface NativeGrammarSource {
  readonly kind: 'json_object' | 'json_schema' | 'regex' | 'choice' | 'lark';
  /** A JSON schema, a regular expression, a JSON array of strings, or a grammar; not looked at for json_object. */
  readonly text: string;
  readonly leadingSpace: boolean;
}

/** A compiled grammar. Opaque, immutable, shared by any number of requests. */
export interface NativeGrammar {
  readonly [nativeGrammar]: never;
}
declare const nativeGrammar: unique symbol;

export interface NativeGrammars {
  /** Off the main thread. Rejects with `invalid_request`, whose message says what is wrong with the text. */
  compile(source: NativeGrammarSource): Promise<NativeGrammar>;
}

/** Tokens that a sequence which goes on has generated since the last call. k and null as in `NativeResult`. */
export interface NativeTokens {
  readonly tokenIds: Uint32Array;
  readonly logprobs: Float32Array | null;
  readonly topIds: Uint32Array | null;
  readonly topLogprobs: Float32Array | null;
}

/** k = max(logprobs, 0), n = tokenIds.length, p = promptIds.length. */
export interface NativeResult {
  /** Generated ids with the end token or the tokens that completed a stop string; nothing after it. */
  readonly tokenIds: Uint32Array;
  /** Bytes of the completion, cut before the stop string or end token. May end inside a UTF-8 character at finishReason "length". */
  readonly textBytes: Uint8Array;
  readonly finishReason: 'stop' | 'length' | 'cancelled';
  /** [n], natural log, over the whole vocabulary on raw logits; null unless logprobs >= 0. */
  readonly logprobs: Float32Array | null;
  /** [n * k], best first, lowest id first among equals. */
  readonly topIds: Uint32Array | null;
  readonly topLogprobs: Float32Array | null;
  /** [p], the first one NaN; null unless promptLogprobs. */
  readonly promptLogprobs: Float32Array | null;
  /** [p * k], row 0 unused. */
  readonly promptTopIds: Uint32Array | null;
  readonly promptTopLogprobs: Float32Array | null;
}

/** Running totals since the engine opened; the padding proof. */
export interface NativeReport {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Prefill rows computed beyond the packed prompts. */
  readonly paddedPrefillTokens: number;
  readonly prefillPacks: number;
  readonly decodeSteps: number;
  /** Rows of decode steps without a live sequence. */
  readonly idleSlotSteps: number;
  /** Tokens computed past a stop and thrown away. */
  readonly overrunTokens: number;
  /** Passes with prefill rows, and the multiply-adds of their matrix products: decode rows ride along. */
  readonly prefillNanoseconds: number;
  readonly prefillMultiplyAdds: number;
  /** Passes with decode rows alone, their multiply-adds, and their number. */
  readonly decodeNanoseconds: number;
  readonly decodeMultiplyAdds: number;
  readonly decodeOnlySteps: number;
}

export interface NativeEngineInfo {
  readonly device: 'cpu' | 'cuda';
  /** What results may depend on beside the model: the instruction set in use, e.g. "amx", or the name and architecture of the card. */
  readonly kind: string;
  readonly dtype: NativeDtype;
  /** Version of the device's numerics; part of system_fingerprint. */
  readonly numerics: string;
  readonly weightBytes: number;
  readonly kvCacheBytes: number;
  /** Those of the device in use. */
  readonly slots: number;
  readonly prefillTokens: number;
  /** Why no card was taken with device `auto`; null with a card, and where the CPU was asked for. */
  readonly whyCpu: string | null;
}

/**
 * All rejections are Errors with a `code`: `model_invalid`, `model_unreadable`, `unsupported_device`, `invalid_request`,
 * `out_of_memory`, `numeric_error` (NaN in the logits of that sequence), `engine_closed`, `internal_error`.
 */
export interface NativeEngine {
  readonly info: NativeEngineInfo;
  /**
   * Resolves when the sequence has ended. `id` is chosen by the caller, unique among live requests. Never blocks the caller.
   * `onTokens` is called with the tokens as they come; those that end the sequence come with the result alone, which has all of
   * them. When it throws, the request ends with that error.
   */
  generate(id: number, request: NativeRequest, onTokens?: (tokens: NativeTokens) => void): Promise<NativeResult>;
  /** Ends the request at the next step with finishReason "cancelled"; unknown ids are ignored. */
  cancel(id: number): void;
  report(): NativeReport;
  /** Stops the step loop; live requests reject with `engine_closed`. Resolves when all threads have ended. Safe to call twice. */
  close(): Promise<void>;
}

/** What this machine can do at most with so many threads, measured; 0 where the CPU lacks the instructions. Units of 1e9 per second. */
export interface NativeLimits {
  readonly readGigabytesPerSecond: number;
  /** First touch of memory, which the kernel clears. */
  readonly freshGigabytesPerSecond: number;
  /** A multiply and an add count as two. */
  readonly amxBf16Gflops: number;
  readonly amxInt8Gops: number;
  readonly avx512Bf16Gflops: number;
  readonly avx512VnniGops: number;
  readonly fp32Gflops: number;
}

export interface NativeCard {
  readonly name: string;
  /** E.g. "9.0". */
  readonly computeCapability: string;
  readonly multiprocessors: number;
  readonly memoryBytes: number;
  readonly freeBytes: number;
}

export interface NativeCheckpointFile {
  readonly name: string;
  readonly bytes: number;
}

export interface NativeCheckpointTensor {
  /** Without the `transformer.` prefix. */
  readonly name: string;
  /** As safetensors spells it, e.g. "BF16". */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Place in `files`. */
  readonly file: number;
}

export interface NativeCheckpoint {
  readonly files: readonly NativeCheckpointFile[];
  /** In the order of the model; buffers that any reader recomputes are left out. */
  readonly tensors: readonly NativeCheckpointTensor[];
  /** Values of lm_head.weight that differ from word_embeddings.weight; null unless both are stored as floats of one shape. */
  readonly headDifferences: number | null;
}

export interface NativeConvertOptions {
  readonly modelDirectory: string;
  /** Must exist, and hold no file of the names to be written. */
  readonly outDirectory: string;
  readonly config: NativeModelConfig;
  readonly dtype: 'bfloat16' | 'int8' | 'fp8';
  /** Bytes of tensors per file, at least 2^20. */
  readonly shardBytesMax: bigint;
  readonly threads: number;
}

export interface NativeConversion {
  readonly files: readonly string[];
  /** `file` = place in `files`. */
  readonly tensors: readonly { readonly name: string; readonly file: number }[];
  /** Source tensors that the model does not use. */
  readonly leftOut: readonly string[];
  readonly tensorBytes: number;
  /** Values that BF16 could not hold exactly. */
  readonly rounded: number;
  /** Values stored in 8 bits. */
  readonly quantised: number;
}

export interface NativeTexts {
  /** All texts' tokens, one text after the other. */
  readonly tokenIds: Uint32Array;
  /** ends[i] = end of text i in tokenIds. */
  readonly ends: Uint32Array;
  /** Layers that are computed at a time, 1..config.layers; 0: as many as fit. */
  readonly layers: number;
}

/** One entry per token of all texts. */
export interface NativeScores {
  /** Natural log over the whole vocabulary on raw logits; NaN for the first token of a text. */
  readonly chosen: Float32Array;
  /** The best token in its place; 0 for the first of a text. */
  readonly best: Uint32Array;
  /** The most layers that were held at a time. */
  readonly layersAtOnce: number;
}

export interface NativeAddon {
  /** Off the main thread. `onProgress(bytesDone, bytesTotal)` is called now and then while weights are read. */
  openEngine(
    options: NativeEngineOptions,
    onProgress: (bytesDone: number, bytesTotal: number) => void,
  ): Promise<NativeEngine>;
  /** Off the main thread; takes some tenths of a second. Rejects with `unsupported_device` where the build has no grammars. */
  openGrammars(options: NativeGrammarOptions): Promise<NativeGrammars>;
  /** Instruction sets this CPU can run, best first. */
  supportedIsas(): readonly string[];
  /**
   * The cards that CUDA shows to this process, in its order; `library` as in NativeCudaOptions. Rejects with `unsupported_device`, saying what
   * to do, where the library is not built or there is no driver.
   */
  cudaCards(library: string | null): Promise<readonly NativeCard[]>;
  /** Headers only, and the values of embedding and head where both are stored. Rejects as openEngine does. */
  inspectCheckpoint(directory: string, config: NativeModelConfig): Promise<NativeCheckpoint>;
  /**
   * Writes the shards of a converted checkpoint, durably. `onProgress` as in openEngine; when it returns false, the conversion ends with
   * `engine_closed`. Rejects as openEngine does, and with `disk_full`.
   */
  convertCheckpoint(
    options: NativeConvertOptions,
    onProgress: (bytesDone: number, bytesTotal: number) => boolean,
  ): Promise<NativeConversion>;
  /**
   * Off the main thread. Scores texts as `promptLogprobs` does, bit for bit, with some layers of the model in memory at a time. Device
   * `auto` is a card where there is one that can compute the model, however little of it fits. Beside the layers, up to 2 GiB of the host's
   * memory (at most a quarter of what is free) are taken for what the tokens are between two parts of the model: 4 * hiddenSize bytes each;
   * texts that have more are scored in several readings of the weights. Rejects as openEngine does, and with `numeric_error`.
   */
  scoreByLayers(options: NativeEngineOptions, texts: NativeTexts): Promise<NativeScores>;
  /** Takes some seconds and 512 MiB. */
  measureLimits(threads: number): Promise<NativeLimits>;
}
