import type { ObjectInfo, ObjectStore } from '../ports/object-store.js';

/** Every object under a prefix in order of key, those after `after` if it is given, a page in memory at a time. */
export async function* listAll(
  store: Pick<ObjectStore, 'list'>,
  prefix: string,
  after: string | null = null,
): AsyncGenerator<ObjectInfo> {
  let from = after;
  do {
    const page = await store.list(prefix, from === null ? {} : { after: from });
    yield* page.objects;
    from = page.next;
  } while (from !== null);
}
