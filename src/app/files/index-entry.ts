import type { StoredFile } from '../../contract/stored-objects.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';

type Purpose = StoredFile['purpose'];

/**
 * Enters a file into the index of its tenant. The entry holds the purpose: a list of the store shows the size of each entry, and no
 * two purposes have the same, so files of another purpose are passed over without a read. Entries of earlier versions are empty.
 */
export async function enterFile(
  store: ObjectStore,
  tenant: string,
  listedMs: number,
  fileId: string,
  purpose: Purpose,
): Promise<void> {
  await store.put(keys.fileIndexEntry(tenant, listedMs, fileId), Buffer.from(purpose));
}

/** Whether an entry of so many bytes may be of a file with this purpose. */
export const mayHavePurpose = (entryBytes: number, purpose: Purpose): boolean =>
  entryBytes === 0 || entryBytes === purpose.length;
