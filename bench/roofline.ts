import type { NativeDtype, NativeLimits, NativeReport } from '../src/adapters/engine-native/native-types.js';
import type { FalconShape } from '../src/domain/falcon-shape.js';
import { decodeGoal, prefillGoal, type Goal } from './goals.js';

export interface Roofline {
  readonly limits: NativeLimits;
  /** Bytes of weights that every decode step reads, and the rate they were read at. */
  readonly decodeBytesPerStep: number;
  readonly decodeGigabytesPerSecond: number;
  /** Of the machine's read bandwidth. */
  readonly decodeShare: number;
  readonly decodeGflops: number;
  /** Of the matrix rate: the limit that binds decode where so many rows share a read that multiplying takes longer. */
  readonly decodeRateShare: number;
  readonly prefillGflops: number;
  /** Of the machine's best matrix rate for what is multiplied. */
  readonly prefillShare: number;
  readonly prefillSeconds: number;
  readonly decodeSeconds: number;
  readonly goals: readonly Goal[];
}

const bytesPerWeight: Readonly<Record<NativeDtype, number>> = { float32: 4, bfloat16: 2, int8: 1, fp8: 1 };

/** Weights of the linear layers of all blocks, without embedding and head. */
function blockWeights({ layers, hiddenSize, queryHeads, kvHeads, headDim, ffnSize }: FalconShape): number {
  const qkv = (queryHeads + 2 * kvHeads) * headDim * hiddenSize;
  const dense = queryHeads * headDim * hiddenSize;
  return layers * (qkv + dense + 2 * hiddenSize * ffnSize);
}

/** int8 weights are multiplied as bfloat16, but for a CPU with 8-bit vector multiplies and no tiles. */
function matrixRate(limits: NativeLimits, dtype: NativeDtype): number {
  if (dtype === 'float32') return limits.fp32Gflops;
  if (dtype === 'int8' && limits.amxBf16Gflops === 0 && limits.avx512VnniGops > 0) return limits.avx512VnniGops;
  return Math.max(limits.amxBf16Gflops, limits.avx512Bf16Gflops, limits.fp32Gflops);
}

/**
 * How near the engine came to what the machine can do. Decode: passes of decode rows alone read every block's weights and the head
 * once. The operations are those of the matrix products that were computed. Attention, norms and sampling are left out of the work
 * and not out of the time, so the shares are on the low side.
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
  const decodeGflops = report.decodeNanoseconds > 0 ? (2 * report.decodeMultiplyAdds) / report.decodeNanoseconds : 0;
  const prefillGflops =
    report.prefillNanoseconds > 0 ? (2 * report.prefillMultiplyAdds) / report.prefillNanoseconds : 0;
  const decodeShare = decodeGigabytesPerSecond / limits.readGigabytesPerSecond;
  const prefill = prefillGoal(dtype, prefillGflops, limits);
  return {
    limits,
    decodeBytesPerStep,
    decodeGigabytesPerSecond,
    decodeShare,
    decodeGflops,
    decodeRateShare: decodeGflops / matrixRate(limits, dtype),
    prefillGflops,
    prefillShare: prefillGflops / matrixRate(limits, dtype),
    prefillSeconds: report.prefillNanoseconds / 1e9,
    decodeSeconds: report.decodeNanoseconds / 1e9,
    goals: [decodeGoal(decodeShare), ...(prefill === null ? [] : [prefill])],
  };
}
