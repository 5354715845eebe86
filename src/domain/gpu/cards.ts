const mebibyte = 2 ** 20;

/** What a kind of card can do by its maker's data sheet. Rates are dense; memory is what the smallest common card of the kind reports. */
export interface GpuCard {
  readonly name: string;
  /** Gigabytes that the card is sold with. */
  readonly gigabytes: number;
  readonly memoryBytes: number;
  readonly bytesPerSecond: number;
  readonly bfloat16FlopsPerSecond: number;
  /** Of FP8 with a scale per row, which the engine needs; null where there is none: cuBLASLt has it for Hopper alone. */
  readonly fp8FlopsPerSecond: number | null;
  readonly int8OpsPerSecond: number;
  /** One direction of the link between cards: NVLink, else PCI Express. */
  readonly linkBytesPerSecond: number;
}

/** By the names that `eyrie plan --gpu` takes. */
export const gpuCards = {
  l4: {
    name: 'L4',
    gigabytes: 24,
    memoryBytes: 23_034 * mebibyte,
    bytesPerSecond: 0.3e12,
    bfloat16FlopsPerSecond: 121e12,
    fp8FlopsPerSecond: null,
    int8OpsPerSecond: 242e12,
    linkBytesPerSecond: 32e9,
  },
  a10g: {
    name: 'A10G',
    gigabytes: 24,
    memoryBytes: 23_028 * mebibyte,
    bytesPerSecond: 0.6e12,
    bfloat16FlopsPerSecond: 70e12,
    fp8FlopsPerSecond: null,
    int8OpsPerSecond: 140e12,
    linkBytesPerSecond: 32e9,
  },
  'a100-40': {
    name: 'A100 40 GB',
    gigabytes: 40,
    memoryBytes: 40_536 * mebibyte,
    bytesPerSecond: 1.555e12,
    bfloat16FlopsPerSecond: 312e12,
    fp8FlopsPerSecond: null,
    int8OpsPerSecond: 624e12,
    linkBytesPerSecond: 300e9,
  },
  l40s: {
    name: 'L40S',
    gigabytes: 48,
    memoryBytes: 46_068 * mebibyte,
    bytesPerSecond: 0.864e12,
    bfloat16FlopsPerSecond: 362e12,
    fp8FlopsPerSecond: null,
    int8OpsPerSecond: 733e12,
    linkBytesPerSecond: 32e9,
  },
  a100: {
    name: 'A100 80 GB',
    gigabytes: 80,
    memoryBytes: 81_559 * mebibyte,
    bytesPerSecond: 2.039e12,
    bfloat16FlopsPerSecond: 312e12,
    fp8FlopsPerSecond: null,
    int8OpsPerSecond: 624e12,
    linkBytesPerSecond: 300e9,
  },
  h100: {
    name: 'H100 SXM',
    gigabytes: 80,
    memoryBytes: 81_559 * mebibyte,
    bytesPerSecond: 3.35e12,
    bfloat16FlopsPerSecond: 989e12,
    fp8FlopsPerSecond: 1979e12,
    int8OpsPerSecond: 1979e12,
    linkBytesPerSecond: 450e9,
  },
  h200: {
    name: 'H200 SXM',
    gigabytes: 141,
    memoryBytes: 143_771 * mebibyte,
    bytesPerSecond: 4.8e12,
    bfloat16FlopsPerSecond: 989e12,
    fp8FlopsPerSecond: 1979e12,
    int8OpsPerSecond: 1979e12,
    linkBytesPerSecond: 450e9,
  },
} as const satisfies Readonly<Record<string, GpuCard>>;

export type GpuName = keyof typeof gpuCards;
export const gpuNames = ['l4', 'a10g', 'a100-40', 'l40s', 'a100', 'h100', 'h200'] as const satisfies readonly GpuName[];
