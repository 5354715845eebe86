interface Holder<Item> {
  bytes: number;
  readonly items: Map<Item, number>;
}

/**
 * Bytes that this process holds for callers, by caller and by what they are held for (an answer, a connection). It tells what is to be
 * given up when there are too many: of the caller with most, the item with most, so that nobody loses anything to what others hold.
 */
export class HeldBytes<Item> {
  readonly #holders = new Map<string, Holder<Item>>();
  #bytes = 0;

  /** Those of all callers. */
  get bytes(): number {
    return this.#bytes;
  }

  bytesOf(caller: string): number {
    return this.#holders.get(caller)?.bytes ?? 0;
  }

  itemsOf(caller: string): readonly Item[] {
    return [...(this.#holders.get(caller)?.items.keys() ?? [])];
  }

  set(caller: string, item: Item, bytes: number): void {
    let holder = this.#holders.get(caller);
    if (!holder) this.#holders.set(caller, (holder = { bytes: 0, items: new Map() }));
    const more = bytes - (holder.items.get(item) ?? 0);
    holder.items.set(item, bytes);
    holder.bytes += more;
    this.#bytes += more;
  }

  delete(caller: string, item: Item): void {
    const holder = this.#holders.get(caller);
    const bytes = holder?.items.get(item);
    if (!holder || bytes === undefined) return;
    holder.items.delete(item);
    holder.bytes -= bytes;
    this.#bytes -= bytes;
    if (holder.items.size === 0) this.#holders.delete(caller);
  }

  /** The caller with most. */
  largestCaller(): string | undefined {
    let [largest, most]: [string | undefined, number] = [undefined, -1];
    for (const [caller, { bytes }] of this.#holders) if (bytes > most) [largest, most] = [caller, bytes];
    return largest;
  }

  /** The item of a caller with most; of equal ones the oldest. */
  largestOf(caller: string): Item | undefined {
    let [largest, most]: [Item | undefined, number] = [undefined, -1];
    for (const [item, bytes] of this.#holders.get(caller)?.items ?? [])
      if (bytes > most) [largest, most] = [item, bytes];
    return largest;
  }
}
