import type { ObjectStore } from '../../src/ports/object-store.js';

export interface Gate {
  /** The store as the one sees it who is to be stopped. */
  readonly store: ObjectStore;
  /** Resolves when it stands before the gate. */
  readonly reached: Promise<void>;
  /** Calls so far. */
  readonly calls: () => number;
  open(): void;
}

/** A store that stops before its n-th call (from 0), or before the first that `stopsAt` says, until the gate is opened. */
export function gateStore(inner: ObjectStore, stopsAt: number | ((operation: string, key: string) => boolean)): Gate {
  let calls = 0;
  let open: () => void = () => undefined;
  let reach: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const pass = async <T>(operation: string, key: string, step: () => Promise<T>): Promise<T> => {
    const at = calls++;
    if (typeof stopsAt === 'number' ? at === stopsAt : stopsAt(operation, key)) {
      reach();
      await opened;
    }
    return step();
  };
  const store: ObjectStore = {
    create: (key, bytes) => pass('create', key, () => inner.create(key, bytes)),
    put: (key, bytes) => pass('put', key, () => inner.put(key, bytes)),
    putStream: (key, source) => pass('putStream', key, () => inner.putStream(key, source)),
    get: (key, options) => pass('get', key, () => inner.get(key, options)),
    getStream: (key, options) => pass('getStream', key, () => inner.getStream(key, options)),
    head: (key) => pass('head', key, () => inner.head(key)),
    list: (prefix, options) => pass('list', prefix, () => inner.list(prefix, options)),
    delete: (key) => pass('delete', key, () => inner.delete(key)),
    deleteMany: (keys) => pass('deleteMany', keys[0] ?? '', () => inner.deleteMany(keys)),
  };
  return { store, reached, calls: () => calls, open };
}
