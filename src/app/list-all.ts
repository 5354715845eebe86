import type { ObjectInfo, ObjectStore } from '../ports/object-store.js';

/** Every object under a prefix in order of key, a page in memory at a time. */
export async function* listAll(store: ObjectStore, prefix: string): AsyncGenerator<ObjectInfo> {
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    yield* page.objects;
    after = page.next;
  } while (after !== null);
}
