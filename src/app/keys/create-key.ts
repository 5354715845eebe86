import type { NewApiKeyObject } from '../../contract/api-key-object.js';
import type { StoredKey } from '../../contract/stored-key.js';
import { apiKeyHash, toApiKey } from '../../domain/api-key.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { Scope } from '../../domain/scopes.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { toApiKeyObject } from './find-key.js';

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Seconds from now; absent: never. */
  readonly expires_after?: number | undefined;
}

/** Makes a key for the tenant. Its text is in the answer and nowhere else: the store keeps a hash. */
export async function createKey(
  world: Pick<World, 'store' | 'clock' | 'ids' | 'log'>,
  tenant: string,
  request: NewKey,
): Promise<NewApiKeyObject> {
  const keyId = world.ids.next('key');
  const text = toApiKey(keyId, world.ids.secret(bounds.keySecretBytes));
  const createdMs = world.clock.now();
  const key: StoredKey = {
    v: 1,
    id: keyId,
    tenant,
    name: request.name,
    scopes: [...request.scopes],
    hash: apiKeyHash(text).toString('hex'),
    createdMs,
    expiresMs: request.expires_after === undefined ? null : createdMs + request.expires_after * 1000,
  };
  // The list first: no key works that the list does not show.
  await world.store.put(keys.apiKeyIndexEntry(tenant, createdMs, keyId), Buffer.of());
  await createJson(world.store, keys.apiKey(keyId), key);
  world.log.info('key.created', { tenant, keyId, scopes: key.scopes.join(' ') });
  return { ...toApiKeyObject({ key, revokedMs: null, usedMs: null }), key: text };
}
