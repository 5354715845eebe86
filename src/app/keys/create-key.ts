import type { NewApiKeyObject } from '../../contract/api-key-object.js';
import type { StoredKey } from '../../contract/stored-key.js';
import { apiKeyHash, toApiKey } from '../../domain/api-key.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { idPrefixes } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { Scope } from '../../domain/scopes.js';
import { heldInList } from '../quotas/held-in-list.js';
import { putOnAgenda } from '../retention/agenda.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { toApiKeyObject } from './find-key.js';

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Seconds from now; absent: never. */
  readonly expires_after?: number | undefined;
}

type Maker = Pick<World, 'store' | 'clock' | 'ids' | 'log'>;

const keyIdOf = (entry: string): string => entry.slice(entry.lastIndexOf(idPrefixes.key));

/** Makes a key that the tenant asks for itself. Throws `insufficient_quota` when it has too many. */
export function createOwnKey(
  world: Maker & Pick<World, 'claims'>,
  tenant: string,
  request: NewKey,
): Promise<NewApiKeyObject> {
  const id = world.ids.next('key');
  return world.claims.take(
    {
      kind: 'keys',
      tenant,
      id,
      limit: bounds.keysPerTenant,
      held: () => heldInList(world.store, keys.apiKeyIndex(tenant), bounds.keysPerTenant, keyIdOf),
      refusal: () =>
        new EyrieError(
          'insufficient_quota',
          `There are ${bounds.keysPerTenant} API keys, as many as are allowed. Revoke those that are not used any more (DELETE /v1/admin/keys/{key_id}); a key that was revoked or has expired is removed after ${bounds.keyEndedKeptMs / 86_400_000} days.`,
          { bound: 'keysPerTenant' },
        ),
    },
    () => createKey(world, tenant, request, id),
  );
}

/** Makes a key for the tenant. Its text is in the answer and nowhere else: the store keeps a hash. */
export async function createKey(
  world: Maker,
  tenant: string,
  request: NewKey,
  keyId = world.ids.next('key'),
): Promise<NewApiKeyObject> {
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
  if (key.expiresMs !== null) await putOnAgenda(world.store, key.expiresMs + bounds.keyEndedKeptMs, tenant, keyId);
  // The list first: no key works that the list does not show.
  await world.store.put(keys.apiKeyIndexEntry(tenant, createdMs, keyId), Buffer.of());
  await createJson(world.store, keys.apiKey(keyId), key);
  world.log.info('key.created', { tenant, keyId, scopes: key.scopes.join(' ') });
  return { ...toApiKeyObject({ key, revokedMs: null, usedMs: null }), key: text };
}
