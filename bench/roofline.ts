import type { NativeDtype, NativeLimits, NativeReport } from '../src/adapters/engine-native/native-types.js';
import type { FalconShape } from '../src/domain/falcon-shape.js';

export interface Roofline {
  readonly limits: NativeLimits;
  /** Bytes of weights that every decode step reads, and the rate they were read at. */
  readonly decodeBytesPerStep: number;
  readonly decodeGigabytesPerSecond: number;
  /** Of the machine's read bandwidth. */
  readonly decodeShare: number;
  readonly prefillGflops: number;
  /** Of the machine's best matrix rate for this number format. */
  readonly prefillShare: number;
  readonly prefillSeconds: number;
  readonly decodeSeconds: number;
}

const bytesPerWeight: Readonly<Record<NativeDtype, number>> = { float32: 4, bfloat16: 2, int8: 1 };

/** Weights of the linear layers of all blocks, without embedding and head. */
function blockWeights({ layers, hiddenSize, queryHeads, kvHeads, headDim, ffnSize }: FalconShape): number {
  const qkv = (queryHeads + 2 * kvHeads) * headDim * hiddenSize;
  const dense = queryHeads * headDim * hiddenSize;
  return layers * (qkv + dense + 2 * hiddenSize * ffnSize);
}

function matrixRate(limits: NativeLimits, dtype: NativeDtype): number {
  if (dtype === 'float32') return limits.fp32Gflops;
  if (dtype === 'int8') return Math.max(limits.amxInt8Gops, limits.avx512VnniGops, limits.fp32Gflops);
  return Math.max(limits.amxBf16Gflops, limits.avx512Bf16Gflops, limits.fp32Gflops);
}

/**
 * How near the engine came to what the machine can do. Decode: passes of decode rows alone read every block's weights and the head
 * once. Prefill: passes with prompt tokens do a multiply and an add per block weight and row. Attention, norms, head rows of prefill
 * and sampling are left out of the work and not out of the time, so the shares are on the low side.
 */
export function toRoofline(
  shape: FalconShape,
  dtype: NativeDtype,
  report: NativeReport,
  limits: NativeLimits,
): Roofline {
  const blocks = blockWeights(shape);
  const decodeBytesPerStep = (blocks + shape.vocabSize * shape.hiddenSize) * bytesPerWeight[dtype];
  const decodeGigabytesPerSecond =
    report.decodeNanoseconds > 0 ? (report.decodeOnlySteps * decodeBytesPerStep) / report.decodeNanoseconds : 0;
  const prefillGflops =
    report.prefillNanoseconds > 0 ? (2 * blocks * report.prefillPassRows) / report.prefillNanoseconds : 0;
  return {
    limits,
    decodeBytesPerStep,
    decodeGigabytesPerSecond,
    decodeShare: decodeGigabytesPerSecond / limits.readGigabytesPerSecond,
    prefillGflops,
    prefillShare: prefillGflops / matrixRate(limits, dtype),
    prefillSeconds: report.prefillNanoseconds / 1e9,
    decodeSeconds: report.decodeNanoseconds / 1e9,
  };
}
