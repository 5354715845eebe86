/** Items that wait, given out in their order by key and alternately by keys: the many of one key are not all before the first of another. */
export class AlternatingQueue<T> {
  /** By key, in the order in which they are served. */
  readonly #waiting = new Map<string, T[]>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  push(key: string, item: T): void {
    const ofKey = this.#waiting.get(key);
    if (ofKey) ofKey.push(item);
    else this.#waiting.set(key, [item]);
  }

  shift(): T | undefined {
    for (const [key, ofKey] of this.#waiting) {
      this.#waiting.delete(key);
      const item = ofKey.shift();
      // At the end of the map: all others come first.
      if (ofKey.length > 0) this.#waiting.set(key, ofKey);
      return item;
    }
    return undefined;
  }
}
