import { storedKey, storedRevocation, type StoredKey } from '../../contract/stored-key.js';
import type { ApiKeyObject } from '../../contract/api-key-object.js';
import { apiKeyPrefix } from '../../domain/api-key.js';
import { EyrieError } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { getJson } from '../stored-json.js';

/**
 * A key and its fate. Nothing of it is ever overwritten:
 *
 *     key.json                               works, until its expiry
 *     + revoked.json                         refused, for good
 *     + used                                 an empty object; the time of the last write is the time of the last use
 */
export interface FoundKey {
  readonly key: StoredKey;
  readonly revokedMs: number | null;
  readonly usedMs: number | null;
}

export async function findKey(store: ObjectStore, keyId: string): Promise<FoundKey | null> {
  if (!isId('key', keyId)) return null;
  // First the key alone: an id that does not exist, of which anybody can try many, costs one read.
  const key = await getJson(store, keys.apiKey(keyId), storedKey);
  if (key === null) return null;
  const [revoked, used] = await Promise.all([
    getJson(store, keys.apiKeyRevoked(keyId), storedRevocation),
    store.head(keys.apiKeyUsed(keyId)),
  ]);
  return { key, revokedMs: revoked?.revokedMs ?? null, usedMs: used?.modifiedMs ?? null };
}

/** The tenant's key. Throws `not_found`, also for another tenant's. */
export async function loadKey(store: ObjectStore, tenant: string, keyId: string): Promise<FoundKey> {
  const found = await findKey(store, keyId);
  if (found?.key.tenant !== tenant)
    throw new EyrieError('not_found', `No key found with id '${keyId.slice(0, 80)}'.`, { param: 'key_id' });
  return found;
}

const toSeconds = (ms: number | null): number | null => (ms === null ? null : Math.floor(ms / 1000));

export function toApiKeyObject({ key, revokedMs, usedMs }: FoundKey): ApiKeyObject {
  return {
    id: key.id,
    object: 'api_key',
    name: key.name,
    prefix: apiKeyPrefix(key.id),
    scopes: key.scopes,
    created_at: Math.floor(key.createdMs / 1000),
    last_used_at: toSeconds(usedMs),
    expires_at: toSeconds(key.expiresMs),
    revoked_at: toSeconds(revokedMs),
  };
}
