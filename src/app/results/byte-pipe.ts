/**
 * Hands bytes from one writer to one reader in order. The writer waits while more than a bound is unread; an end or a failure of
 * one side is seen by the other.
 */
export class BytePipe implements AsyncIterable<Uint8Array> {
  readonly #unreadMax: number;
  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #end: { readonly error: unknown } | 'end' | null = null;
  /** Why nobody reads any more. */
  #gone: { readonly error: unknown } | null = null;
  /** Wakes the side that waits; only one ever does. */
  #wake: () => void = () => undefined;

  constructor(unreadMax: number) {
    this.#unreadMax = unreadMax;
  }

  /** Throws why the reader has gone, when it has. */
  async write(bytes: Uint8Array): Promise<void> {
    while (!this.#gone && this.#unreadBytes >= this.#unreadMax) await this.#change();
    if (this.#gone) throw this.#gone.error;
    if (bytes.length === 0) return;
    this.#unread.push(bytes);
    this.#unreadBytes += bytes.length;
    this.#wake();
  }

  end(): void {
    this.#end ??= 'end';
    this.#wake();
  }

  /** The reader gets this error in place of what it has not read. */
  fail(error: unknown): void {
    this.#end = { error };
    this.#wake();
  }

  /** The reader has gone: the writer gets this error. */
  leave(error: unknown): void {
    this.#gone ??= { error };
    this.#unread.length = 0;
    this.#wake();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: async () => {
        for (;;) {
          if (this.#end !== null && this.#end !== 'end') throw this.#end.error;
          const bytes = this.#unread.shift();
          if (bytes) {
            this.#unreadBytes -= bytes.length;
            this.#wake();
            return { done: false, value: bytes };
          }
          if (this.#end === 'end' || this.#gone) return { done: true, value: undefined };
          await this.#change();
        }
      },
      return: () => {
        this.leave(new Error('The reader of a pipe left before its end.'));
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
