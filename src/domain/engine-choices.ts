/** Where the model is computed; `auto` takes a card where there is one that can hold it, else the CPU. */
export const devices = ['auto', 'cpu', 'cuda'] as const;
export type DeviceChoice = (typeof devices)[number];

/** Number formats of the weights. On a card `bfloat16`, `fp8` and `int8`; on the CPU all but `fp8`. */
export const dtypes = ['float32', 'bfloat16', 'int8', 'fp8'] as const;
export type Dtype = (typeof dtypes)[number];

/** The name in `dtypes` for one that other tools use; any other text as it is. */
export const withFullDtypeName = (name: string): string =>
  name === 'bf16' ? 'bfloat16' : name === 'fp32' ? 'float32' : name;

/** Most cards that can share a model. */
export const tensorParallelMax = 8;

/** Widest instruction set that the kernels may use, the widest first; `auto` picks the best that the CPU has. */
export const isas = ['auto', 'amx', 'avx512bf16', 'avx512vnni', 'avx512', 'avx2', 'scalar'] as const;
export type Isa = (typeof isas)[number];
