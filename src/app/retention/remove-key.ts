import { bounds } from '../../domain/bounds.js';
import { keys, type DueItem } from '../../domain/object-keys.js';
import { findKey } from '../keys/find-key.js';
import type { Removal, Remover } from './agenda.js';

/** Removes an API key that was revoked or has expired long enough ago. */
export async function removeKey({ store, clock }: Remover, { tenant, id }: DueItem): Promise<Removal> {
  const found = await findKey(store, id);
  if (found) {
    const endedMs = Math.min(found.revokedMs ?? Infinity, found.key.expiresMs ?? Infinity);
    // It was not revoked, after all, or there is a later entry for it.
    if (clock.now() < endedMs + bounds.keyEndedKeptMs) return 'done';
    await store.delete(keys.apiKeyIndexEntry(tenant, found.key.createdMs, id));
    // Before its revocation: a key without one would work again.
    await store.delete(keys.apiKey(id));
  }
  await store.deleteMany([keys.apiKeyRevoked(id), keys.apiKeyUsed(id)]);
  return 'done';
}
