import { writeFile } from 'node:fs/promises';

export interface TensorBytes {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The bytes of a safetensors file with these tensors in map order. */
export function safetensorsBytes(tensors: ReadonlyMap<string, TensorBytes>): Buffer {
  const table: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    table[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  return safetensorsFile(JSON.stringify(table), Buffer.concat([...tensors.values()].map((tensor) => tensor.bytes)));
}

/** A file with exactly this header and data, sound or not. */
export function safetensorsFile(header: string, data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}

export async function writeSafetensors(path: string, tensors: ReadonlyMap<string, TensorBytes>): Promise<void> {
  await writeFile(path, safetensorsBytes(tensors));
}

/** float32 values as a tensor of `dtype`; bfloat16 keeps the upper half of each float. */
export function tensorOf(dtype: 'F32' | 'BF16', shape: readonly number[], values: Float32Array): TensorBytes {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const array = dtype === 'F32' ? words : Uint16Array.from(words, (word) => word >>> 16);
  return { dtype, shape, bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength) };
}
