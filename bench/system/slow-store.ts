import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CreateResult,
  GetOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StreamedObject,
} from '../../src/ports/object-store.js';

/** A store as far away as one in a network: every call waits first. Counts the calls. */
export class SlowStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #latencyMs: number;
  calls = 0;

  constructor(store: ObjectStore, latencyMs: number) {
    this.#store = store;
    this.#latencyMs = latencyMs;
  }

  create(key: string, bytes: Uint8Array): Promise<CreateResult> {
    return this.#late(() => this.#store.create(key, bytes));
  }

  put(key: string, bytes: Uint8Array): Promise<{ readonly etag: string }> {
    return this.#late(() => this.#store.put(key, bytes));
  }

  putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<StreamedObject> {
    return this.#late(() => this.#store.putStream(key, source));
  }

  get(key: string, options?: GetOptions): Promise<{ readonly info: ObjectInfo; readonly bytes: Uint8Array } | null> {
    return this.#late(() => this.#store.get(key, options));
  }

  getStream(key: string, options?: GetOptions): Promise<ObjectBody | null> {
    return this.#late(() => this.#store.getStream(key, options));
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#late(() => this.#store.head(key));
  }

  list(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<ListPage> {
    return this.#late(() => this.#store.list(prefix, options));
  }

  delete(key: string): Promise<void> {
    return this.#late(() => this.#store.delete(key));
  }

  deleteMany(keys: readonly string[]): Promise<void> {
    return this.#late(() => this.#store.deleteMany(keys));
  }

  async #late<T>(call: () => Promise<T>): Promise<T> {
    this.calls++;
    await sleep(this.#latencyMs);
    return call();
  }
}
