import type { ApiKeyObject } from '../../contract/api-key-object.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { forRemoval, putOnAgenda } from '../retention/agenda.js';
import { createJson } from '../stored-json.js';
import type { World } from '../world.js';
import { loadKey, toApiKeyObject } from './find-key.js';

/**
 * Revokes a key for good: every process refuses it within `bounds.keyFreshMs`. Doing it again changes nothing. Throws `not_found`,
 * also for another tenant's key.
 */
export async function revokeKey(
  world: Pick<World, 'store' | 'clock' | 'log'>,
  tenant: string,
  keyId: string,
): Promise<ApiKeyObject> {
  const found = await loadKey(world.store, tenant, keyId);
  const revokedMs = found.revokedMs ?? world.clock.now();
  // Also for one that was revoked before: earlier versions kept those for ever.
  await putOnAgenda(world.store, revokedMs + bounds.keyEndedKeptMs, tenant, keyId, forRemoval);
  if (found.revokedMs !== null) return toApiKeyObject(found);
  const { created } = await createJson(world.store, keys.apiKeyRevoked(keyId), { v: 1, revokedMs }, forRemoval);
  if (!created) return toApiKeyObject(await loadKey(world.store, tenant, keyId));
  world.log.info('key.revoked', { tenant, keyId });
  return toApiKeyObject({ ...found, revokedMs });
}
