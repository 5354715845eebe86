import type { ObjectStore } from '../../ports/object-store.js';

/** Removes every object under a prefix but those that are to stay. */
export async function removeAll(
  store: ObjectStore,
  prefix: string,
  stays: (key: string) => boolean = () => false,
): Promise<void> {
  let after: string | null = null;
  do {
    const page = await store.list(prefix, after === null ? {} : { after });
    await store.deleteMany(page.objects.map(({ key }) => key).filter((key) => !stays(key)));
    after = page.next;
  } while (after !== null);
}
