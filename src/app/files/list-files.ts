import { toListPage, type FileObject, type ListPage } from '../../contract/file-object.js';
import type { StoredFile } from '../../contract/stored-objects.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import { readIndex, type ListOrder } from '../index-walk.js';
import type { World } from '../world.js';
import { fileIndexKey, findFile } from './find-file.js';
import { mayHavePurpose } from './index-entry.js';
import { toFileObject } from './view-file.js';

type FileReader = Pick<World, 'store' | 'clock'>;

export interface FilesPage {
  readonly purpose: StoredFile['purpose'] | null;
  /** Id of the last file seen; it may have been deleted since. */
  readonly after: string | null;
  readonly limit: number;
  /** By time of creation. */
  readonly order: ListOrder;
}

async function cursorKey(world: FileReader, tenant: string, after: string): Promise<string> {
  const key = await fileIndexKey(world, tenant, after);
  if (key === null)
    throw new EyrieError('invalid_value', `Invalid value for 'after': no file has the id '${after.slice(0, 80)}'.`, {
      param: 'after',
    });
  return key;
}

const idOf = (key: string): string => key.slice(key.lastIndexOf(idPrefixes.file));

/** A page of the tenant's files; it may be short although there are more. Throws `invalid_value` for an unknown `after`. */
export async function listFiles(world: FileReader, tenant: string, page: FilesPage): Promise<ListPage<FileObject>> {
  const { purpose, order } = page;
  const limit = Math.min(page.limit, bounds.filesPerAnswerMax);
  const after = page.after === null ? null : await cursorKey(world, tenant, page.after);
  const { found, hasMore, last } = await readIndex(
    world.store,
    keys.fileIndex(tenant),
    { after, limit, order },
    async (key) => {
      const file = await findFile(world, tenant, idOf(key));
      return file && (purpose === null || file.purpose === purpose) ? toFileObject(file) : null;
    },
    ({ bytes }) => purpose === null || mayHavePurpose(bytes, purpose),
  );
  return toListPage(found, hasMore, last && idOf(last));
}
