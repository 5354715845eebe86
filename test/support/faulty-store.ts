import { EyrieError } from '../../src/domain/errors.js';
import type {
  CreateResult,
  GetOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StreamedObject,
} from '../../src/ports/object-store.js';
import type { StoreCall, StoreFault, StoreOperation } from './memory-store.js';

/** Any object store, with faults as the one in memory has them, and a way to wait until it is at rest. */
export class FaultyStore implements ObjectStore {
  fault: (call: StoreCall) => Omit<StoreFault, 'delayMs'> | undefined | void = () => undefined;
  readonly calls: StoreCall[] = [];
  readonly #store: ObjectStore;
  #underWay = 0;
  #waiting: (() => void)[] = [];

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  create(key: string, bytes: Uint8Array): Promise<CreateResult> {
    return this.#call('create', key, () => this.#store.create(key, bytes));
  }

  put(key: string, bytes: Uint8Array): Promise<{ readonly etag: string }> {
    return this.#call('put', key, () => this.#store.put(key, bytes));
  }

  putStream(key: string, source: AsyncIterable<Uint8Array>): Promise<StreamedObject> {
    return this.#call('putStream', key, () => this.#store.putStream(key, source));
  }

  get(key: string, options?: GetOptions): Promise<{ readonly info: ObjectInfo; readonly bytes: Uint8Array } | null> {
    return this.#call('get', key, () => this.#store.get(key, options));
  }

  getStream(key: string, options?: GetOptions): Promise<ObjectBody | null> {
    return this.#call('getStream', key, async () => {
      const found = await this.#store.getStream(key, options);
      return found && { info: found.info, body: this.#watched(found.body) };
    });
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#call('head', key, () => this.#store.head(key));
  }

  list(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<ListPage> {
    return this.#call('list', prefix, () => this.#store.list(prefix, options));
  }

  delete(key: string): Promise<void> {
    return this.#call('delete', key, () => this.#store.delete(key));
  }

  /** A fault at one of the keys lets those before it be deleted. */
  deleteMany(keys: readonly string[]): Promise<void> {
    return this.#watch(async () => {
      for (const [at, key] of keys.entries()) {
        const call: StoreCall = { operation: 'delete', key };
        this.calls.push(call);
        const { fail, error } = this.fault(call) ?? {};
        if (fail === undefined) continue;
        await this.#store.deleteMany(keys.slice(0, fail === 'before' ? at : at + 1));
        throw error ?? failure(call, fail);
      }
      await this.#store.deleteMany(keys);
    });
  }

  /** Ends when no call, and no reading of a body, is under way. For `FakeClock.quiet`. */
  async idle(): Promise<void> {
    do {
      await nextTurn();
      while (this.#underWay > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      // What waited for the last call may make the next one.
      await nextTurn();
    } while (this.#underWay > 0);
  }

  #watched(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return {
      [Symbol.asyncIterator]: () => {
        const steps = body[Symbol.asyncIterator]();
        const leave = async (): Promise<IteratorResult<Uint8Array>> => {
          await steps.return?.();
          return { done: true, value: undefined };
        };
        return { next: () => this.#watch(() => steps.next()), return: () => this.#watch(leave) };
      },
    };
  }

  #call<T>(operation: StoreOperation, key: string, step: () => Promise<T>): Promise<T> {
    return this.#watch(async () => {
      const call = { operation, key };
      this.calls.push(call);
      const { fail, error } = this.fault(call) ?? {};
      if (fail === 'before') throw error ?? failure(call, fail);
      const result = await step();
      if (fail === 'after') throw error ?? failure(call, fail);
      return result;
    });
  }

  async #watch<T>(step: () => Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await step();
    } finally {
      if (--this.#underWay === 0) for (const wake of this.#waiting.splice(0)) wake();
    }
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const failure = ({ operation, key }: StoreCall, when: 'before' | 'after'): EyrieError =>
  new EyrieError('store_unavailable', `The faulty store failed ${when} ${operation} '${key}'.`);
