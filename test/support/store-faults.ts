import { EyrieError } from '../../src/domain/errors.js';
import type { MemoryStore } from './memory-store.js';

type Faulty = Pick<MemoryStore, 'fault'>;

const writes = new Set(['create', 'put', 'putStream', 'delete']);

/** Lets one write of the store fail: the n-th from now. Says whether it came to that. */
export function failWrite(store: Faulty, n: number, when: 'before' | 'after'): { readonly failed: () => boolean } {
  let seen = 0;
  store.fault = ({ operation }) => {
    if (!writes.has(operation) || seen++ !== n) return undefined;
    return { fail: when, error: new EyrieError('store_unavailable', 'A fault of the test.') };
  };
  return { failed: () => seen > n };
}

/** Everything stops at the n-th write from now, right before or right after it: no later write is done either. */
export function stopAtWrite(store: Faulty, n: number, when: 'before' | 'after'): { readonly stopped: () => boolean } {
  let seen = 0;
  store.fault = ({ operation }) => {
    if (!writes.has(operation)) return undefined;
    const at = seen++;
    if (at < n) return undefined;
    return { fail: at === n ? when : 'before', error: new EyrieError('store_unavailable', 'A crash of the test.') };
  };
  return { stopped: () => seen > n };
}

export function mend(store: Faulty): void {
  store.fault = () => undefined;
}
