export interface ReadAheadLimits<T> {
  /** Items under way or waiting to be taken. */
  readonly countMax: number;
  /** What these may weigh together; one alone may weigh more. */
  readonly weightMax: number;
  readonly weightOf: (item: T) => number;
}

/** Loads items side by side within limits and gives what was loaded in the order of the items. */
export async function* readAhead<T, R>(
  items: readonly T[],
  load: (item: T) => Promise<R>,
  { countMax, weightMax, weightOf }: ReadAheadLimits<T>,
): AsyncGenerator<R> {
  const ahead: { readonly weight: number; readonly loaded: Promise<R> }[] = [];
  let next = 0;
  let weight = 0;
  const fill = (): void => {
    for (; next < items.length && ahead.length < countMax; next++) {
      const item = items[next] as T;
      const more = weightOf(item);
      if (ahead.length > 0 && weight + more > weightMax) return;
      const loaded = load(item);
      // Looked at when its turn comes; until then a failure must not count as unhandled.
      loaded.catch(() => undefined);
      ahead.push({ weight: more, loaded });
      weight += more;
    }
  };
  try {
    for (;;) {
      fill();
      const first = ahead[0];
      if (!first) return;
      // It keeps its place until the taker comes back: what is being worked on is in memory too.
      yield await first.loaded;
      ahead.shift();
      weight -= first.weight;
    }
  } finally {
    // Nothing goes on behind the back of who left early.
    await Promise.allSettled(ahead.map(({ loaded }) => loaded));
  }
}
