import type { ApiKeyObject } from '../../contract/api-key-object.js';
import { toListPage, type ListPage } from '../../contract/file-object.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import { idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { findKey, loadKey, toApiKeyObject } from './find-key.js';

async function cursorKey(store: ObjectStore, tenant: string, after: string): Promise<string> {
  try {
    const { key } = await loadKey(store, tenant, after);
    return keys.apiKeyIndexEntry(tenant, key.createdMs, after);
  } catch (cause) {
    if (errorCode(cause) !== 'not_found') throw cause;
    throw new EyrieError('invalid_value', `Invalid value for 'after': no key has the id '${after.slice(0, 80)}'.`, {
      param: 'after',
      cause,
    });
  }
}

/** A page of the tenant's keys, newest first, the revoked and expired ones too. `limit` 1..100. */
export async function listKeys(
  store: ObjectStore,
  tenant: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<ListPage<ApiKeyObject>> {
  const after = page.after === null ? {} : { after: await cursorKey(store, tenant, page.after) };
  const { objects } = await store.list(keys.apiKeyIndex(tenant), { ...after, limit: page.limit + 1 });
  const ids = objects.map(({ key }) => key.slice(key.lastIndexOf(idPrefixes.key)));
  const found = await Promise.all(ids.slice(0, page.limit).map((id) => findKey(store, id)));
  // An entry without a key: its making was cut off.
  return toListPage(
    found.flatMap((key) => (key ? [toApiKeyObject(key)] : [])),
    ids.length > page.limit,
  );
}
