import { createOwnKey } from '../../app/keys/create-key.js';
import type { KeyRing } from '../../app/keys/key-ring.js';
import { listKeys } from '../../app/keys/list-keys.js';
import { revokeKey } from '../../app/keys/revoke-key.js';
import type { World } from '../../app/world.js';
import { apiKeyObject, createKeyRequest, keysQuery, newApiKeyObject } from '../../contract/api-key-object.js';
import { listOf } from '../../contract/list-query.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

/** Keys of the caller's own tenant. Those of the configuration are not among them. */
export function apiKeyRoutes(world: World, keyRing: KeyRing): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/admin/keys',
      summary: 'Make a key; the answer alone holds its text',
      access: 'admin',
      body: createKeyRequest,
      answer: newApiKeyObject,
      handle: ({ tenant, body, reply }) => {
        void reply.header('cache-control', 'no-store');
        return createOwnKey(world, tenant, body);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/admin/keys',
      summary: 'List keys, newest first',
      access: 'admin',
      share: 'lists',
      query: keysQuery,
      answer: listOf(apiKeyObject),
      handle: ({ tenant, query }) => listKeys(world.store, tenant, { after: query.after ?? null, limit: query.limit }),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/v1/admin/keys/:key_id',
      summary: 'Revoke a key for good',
      access: 'admin',
      answer: apiKeyObject,
      handle: async ({ tenant, params }) => {
        const keyId = params['key_id'] ?? '';
        const revoked = await revokeKey(world, tenant, keyId);
        keyRing.forget(keyId);
        return revoked;
      },
    }),
  ];
}
