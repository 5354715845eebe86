/**
 * Does a step for every item, at most `most` of them at once. Items are taken one after the other, so that a long listing is never
 * held whole. After an error no further item is begun, and the error is thrown once those under way have ended.
 */
export async function sideBySide<T>(
  items: Iterable<T> | AsyncIterable<T>,
  most: number,
  step: (item: T) => Promise<unknown>,
): Promise<void> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    try {
      while (!stop.signal.aborted) {
        const next = await source.next();
        if (next.done === true) return;
        await step(next.value);
      }
    } catch (error) {
      stop.abort();
      throw error;
    }
  };
  const runs = await Promise.allSettled(Array.from({ length: most }, run));
  for (const result of runs) if (result.status === 'rejected') throw result.reason;
}
