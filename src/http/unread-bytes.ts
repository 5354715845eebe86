import { bounds, type BoundName } from '../domain/bounds.js';
import { HeldBytes } from './sockets/held-bytes.js';

/** An answer that is given to a client, as a whole or as a stream. */
export interface UnreadAnswer {
  /** Bytes of it that this process holds for its client now. */
  readonly bytes: () => number;
  /** Ends its connection. */
  readonly cut: () => void;
  /** It alone may hold no more. */
  readonly max?: 'liveUnreadBytesMax';
}

interface Watched extends UnreadAnswer {
  open: boolean;
}

/**
 * Bytes of answers that wait in this process for clients that do not read them, by tenant (empty: callers without a key). When those
 * of a tenant are too many, its answer with most is cut off; when those of all are, the one with most of the tenant with most.
 */
export class UnreadBytes {
  readonly #onCut: (tenant: string, bound: BoundName) => void;
  readonly #held = new HeldBytes<Watched>();

  constructor(onCut: (tenant: string, bound: BoundName) => void) {
    this.#onCut = onCut;
  }

  /** Counts an answer until it has ended. What this gives is to be called when there may be more of it. */
  watch(tenant: string, answer: UnreadAnswer, ended: AbortSignal): () => void {
    if (ended.aborted) return () => undefined;
    const watched: Watched = { ...answer, open: true };
    ended.addEventListener('abort', () => this.#forget(tenant, watched), { once: true });
    const look = (): void => {
      if (watched.open) this.#look(tenant, watched);
    };
    look();
    return look;
  }

  #look(tenant: string, answer: Watched): void {
    const bytes = answer.bytes();
    this.#held.set(tenant, answer, bytes);
    if (answer.max && bytes > bounds[answer.max]) this.#cut(tenant, answer, answer.max);
    // What was taken of others since they were looked at is not known by itself.
    if (this.#held.bytesOf(tenant) > bounds.unreadPerTenantBytesMax) this.#measure(tenant);
    while (this.#held.bytesOf(tenant) > bounds.unreadPerTenantBytesMax)
      this.#cutLargestOf(tenant, 'unreadPerTenantBytesMax');
    while (this.#held.bytes > bounds.unreadBytesMax) {
      const largest = this.#held.largestCaller() ?? '';
      this.#measure(largest);
      if (this.#held.bytes > bounds.unreadBytesMax && this.#held.largestCaller() === largest)
        this.#cutLargestOf(largest, 'unreadBytesMax');
    }
  }

  #measure(tenant: string): void {
    for (const answer of this.#held.itemsOf(tenant)) this.#held.set(tenant, answer, answer.bytes());
  }

  #cutLargestOf(tenant: string, bound: BoundName): void {
    const largest = this.#held.largestOf(tenant);
    if (largest) this.#cut(tenant, largest, bound);
  }

  #cut(tenant: string, answer: Watched, bound: BoundName): void {
    this.#forget(tenant, answer);
    this.#onCut(tenant, bound);
    answer.cut();
  }

  #forget(tenant: string, answer: Watched): void {
    answer.open = false;
    this.#held.delete(tenant, answer);
  }
}
