/** The live sequences under one signal. */
export interface SignalGroup {
  /** Names the group to the engine. */
  readonly number: number;
  /** Ids of the sequences to be cancelled when the signal aborts. */
  readonly live: Set<number>;
}

/**
 * Sequences by the signal they were asked for with: one listener for all lines of a shard. A listener for each would be found
 * again at its removal by a search through all.
 */
export class SignalGroups {
  readonly #cancel: (id: number) => void;
  readonly #groups = new WeakMap<AbortSignal, SignalGroup>();
  #next = 0;

  constructor(cancel: (id: number) => void) {
    this.#cancel = cancel;
  }

  of(signal: AbortSignal): SignalGroup {
    const known = this.#groups.get(signal);
    if (known) return known;
    const group: SignalGroup = { number: this.#next, live: new Set() };
    // Numbers of 32 bits: by the time that one comes again, the group that had it has ended.
    this.#next = (this.#next + 1) % 2 ** 32;
    this.#groups.set(signal, group);
    signal.addEventListener(
      'abort',
      () => {
        for (const id of group.live) this.#cancel(id);
      },
      { once: true },
    );
    return group;
  }
}
