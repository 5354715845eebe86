import { z } from 'zod';
import { EyrieError, errorCode } from '../domain/errors.js';
import type { CreateResult, ObjectStore, WriteOptions } from '../ports/object-store.js';

/** `v` of what this version writes. */
const storedVersion = 1;

const toBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

export const createJson = (
  store: ObjectStore,
  key: string,
  value: unknown,
  options?: WriteOptions,
): Promise<CreateResult> => store.create(key, toBytes(value), options);

export const putJson = (store: ObjectStore, key: string, value: unknown): Promise<unknown> =>
  store.put(key, toBytes(value));

const versioned = z.object({ v: z.number() });

/**
 * Stored JSON in the form of its schema. Throws the schema's or the parser's error for damaged content, and `service_unavailable` for
 * an object of a later version: during an update another process may know it, so it must not be taken for damaged.
 */
export function parseStored<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const version = versioned.safeParse(value);
  if (version.success && version.data.v > storedVersion)
    throw new EyrieError(
      'service_unavailable',
      `A stored object has the version ${version.data.v}; this program knows up to ${storedVersion}. Finish the update of all programs.`,
    );
  throw parsed.error;
}

/** The object parsed with its schema, or null when there is none. Damaged or foreign content is an `internal_error`, never half-read. */
export async function getJson<T>(store: ObjectStore, key: string, schema: z.ZodType<T>): Promise<T | null> {
  return (await getSizedJson(store, key, schema))?.value ?? null;
}

/** The same with the size in which it is stored. */
export async function getSizedJson<T>(
  store: ObjectStore,
  key: string,
  schema: z.ZodType<T>,
): Promise<{ readonly value: T; readonly bytes: number } | null> {
  const object = await store.get(key);
  if (!object) return null;
  try {
    return { value: parseStored(object.bytes, schema), bytes: object.bytes.length };
  } catch (cause) {
    if (errorCode(cause) === 'service_unavailable') throw cause;
    throw new EyrieError('internal_error', `The stored object ${key} is not in a form that this version knows.`, {
      cause,
    });
  }
}
