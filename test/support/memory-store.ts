import { createHash } from 'node:crypto';
import { bounds } from '../../src/domain/bounds.js';
import { EyrieError } from '../../src/domain/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type {
  CreateResult,
  GetOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StreamedObject,
} from '../../src/ports/object-store.js';

export type StoreOperation = 'create' | 'put' | 'putStream' | 'get' | 'getStream' | 'head' | 'list' | 'delete';

export interface StoreCall {
  readonly operation: StoreOperation;
  /** The key, or the prefix of a listing. */
  readonly key: string;
}

/** What goes wrong with a call. */
export interface StoreFault {
  /** `before`: nothing was done; `after`: all was done, but the caller does not learn it. */
  readonly fail?: 'before' | 'after';
  /** Default: `store_unavailable`. */
  readonly error?: Error;
  /** Waits this long on the clock before anything else. */
  readonly delayMs?: number;
}

interface Stored {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
}

const chunkBytes = 64 * 1024;

/** Object store in memory. `fault` is asked at every call; `calls` lists them all. */
export class MemoryStore implements ObjectStore {
  fault: (call: StoreCall) => StoreFault | undefined | void = () => undefined;
  readonly calls: StoreCall[] = [];
  readonly #clock: Clock;
  readonly #objects = new Map<string, Stored>();
  #writes = 0;
  /** Keys in order; null when it must be made anew. */
  #sorted: readonly string[] | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  create(key: string, bytes: Uint8Array): Promise<CreateResult> {
    return this.#call('create', key, () => {
      if (this.#objects.has(key)) return { created: false };
      return { created: true, etag: this.#write(key, bytes) };
    });
  }

  put(key: string, bytes: Uint8Array): Promise<{ readonly etag: string }> {
    return this.#call('put', key, () => ({ etag: this.#write(key, bytes) }));
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<StreamedObject> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of source) chunks.push(chunk.slice());
    const bytes = Buffer.concat(chunks);
    return this.#call('putStream', key, () => ({
      etag: this.#write(key, bytes),
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    }));
  }

  get(key: string, options: GetOptions = {}): Promise<Stored | null> {
    return this.#call('get', key, () => this.#read(key, options));
  }

  getStream(key: string, options: GetOptions = {}): Promise<ObjectBody | null> {
    return this.#call('getStream', key, () => {
      const found = this.#read(key, options);
      return found && { info: found.info, body: inChunks(found.bytes) };
    });
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#call('head', key, () => this.#objects.get(key)?.info ?? null);
  }

  list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    return this.#call('list', prefix, () => {
      const { after = '', limit = bounds.storeListPageMax } = options;
      if (!Number.isInteger(limit) || limit < 1 || limit > bounds.storeListPageMax)
        throw new EyrieError('invalid_value', `Invalid limit ${limit}.`, { param: 'limit' });
      this.#sorted ??= [...this.#objects.keys()].sort((a, b) => (a < b ? -1 : 1));
      const objects: ObjectInfo[] = [];
      for (const key of this.#sorted) {
        if (!key.startsWith(prefix) || key <= after) continue;
        if (objects.length === limit) return { objects, next: objects.at(-1)?.key ?? null };
        const stored = this.#objects.get(key);
        if (stored) objects.push(stored.info);
      }
      return { objects, next: null };
    });
  }

  delete(key: string): Promise<void> {
    return this.#call('delete', key, () => {
      checkKey(key);
      if (this.#objects.delete(key)) this.#sorted = null;
    });
  }

  /** Key by key, so that a fault may come between any two. */
  async deleteMany(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.delete(key);
  }

  /** All keys in order, past any fault. */
  keys(): readonly string[] {
    return [...this.#objects.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  /** An object's text, past any fault; null when there is none. */
  text(key: string): string | null {
    const stored = this.#objects.get(key);
    return stored ? Buffer.from(stored.bytes).toString() : null;
  }

  async #call<T>(operation: StoreOperation, key: string, step: () => T): Promise<T> {
    const call = { operation, key };
    this.calls.push(call);
    const { fail, error, delayMs } = this.fault(call) ?? {};
    if (delayMs !== undefined) await this.#clock.sleep(delayMs);
    const failure =
      error ?? new EyrieError('store_unavailable', `The fake store failed ${fail} ${operation} '${key}'.`);
    if (fail === 'before') throw failure;
    const result = step();
    if (fail === 'after') throw failure;
    return result;
  }

  #write(key: string, bytes: Uint8Array): string {
    checkKey(key);
    const etag = `"${++this.#writes}"`;
    if (!this.#objects.has(key)) this.#sorted = null;
    const info = { key, bytes: bytes.length, etag, modifiedMs: this.#clock.now() };
    this.#objects.set(key, { info, bytes: bytes.slice() });
    return etag;
  }

  #read(key: string, { range, ifMatch }: GetOptions): Stored | null {
    checkKey(key);
    const stored = this.#objects.get(key);
    if (!stored) return null;
    if (ifMatch !== undefined && ifMatch !== stored.info.etag)
      throw new EyrieError('input_changed', `The object '${key}' was changed.`);
    return { info: stored.info, bytes: stored.bytes.slice(range?.start, range?.end) };
  }
}

function checkKey(key: string): void {
  if (key.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
    throw new EyrieError('invalid_value', `Invalid object key '${key}'.`, { param: 'key' });
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
