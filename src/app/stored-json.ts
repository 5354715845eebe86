import type { z } from 'zod';
import { EyrieError } from '../domain/errors.js';
import type { CreateResult, ObjectStore } from '../ports/object-store.js';

const toBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

export const createJson = (store: ObjectStore, key: string, value: unknown): Promise<CreateResult> =>
  store.create(key, toBytes(value));

export const putJson = (store: ObjectStore, key: string, value: unknown): Promise<unknown> =>
  store.put(key, toBytes(value));

/** The object parsed with its schema, or null when there is none. Damaged or foreign content is an `internal_error`, never half-read. */
export async function getJson<T>(store: ObjectStore, key: string, schema: z.ZodType<T>): Promise<T | null> {
  const object = await store.get(key);
  if (!object) return null;
  try {
    return schema.parse(JSON.parse(Buffer.from(object.bytes).toString('utf8')));
  } catch (cause) {
    throw new EyrieError('internal_error', `The stored object ${key} is not in a form that this version knows.`, {
      cause,
    });
  }
}
