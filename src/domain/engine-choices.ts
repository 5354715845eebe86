/** Number formats of the weights. */
export const dtypes = ['float32', 'bfloat16', 'int8'] as const;
export type Dtype = (typeof dtypes)[number];

/** Widest instruction set that the kernels may use, the widest first; `auto` picks the best that the CPU has. */
export const isas = ['auto', 'amx', 'avx512bf16', 'avx512vnni', 'avx512', 'avx2', 'scalar'] as const;
export type Isa = (typeof isas)[number];
