import { createKey, type NewKey } from '../../app/keys/create-key.js';
import { findKey } from '../../app/keys/find-key.js';
import { listKeys } from '../../app/keys/list-keys.js';
import { revokeKey } from '../../app/keys/revoke-key.js';
import type { World } from '../../app/world.js';
import { createKeyRequest, type ApiKeyObject } from '../../contract/api-key-object.js';
import { parseWith } from '../../contract/parse.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { isTenant } from '../../domain/object-keys.js';
import { plainScopes } from '../../domain/scopes.js';
import { note, print } from '../output.js';
import { parseTimeSpan } from '../time-span.js';

export type AdminWorld = Pick<World, 'store' | 'clock' | 'ids' | 'log'>;

export function checkTenant(tenant: string): string {
  if (isTenant(tenant)) return tenant;
  throw new EyrieError(
    'invalid_value',
    `Invalid value for '--tenant': ${JSON.stringify(tenant.slice(0, 70))}. Lower-case letters, digits, _ and - are allowed.`,
    { param: '--tenant' },
  );
}

const day = (seconds: number | null): string =>
  seconds === null ? '-' : new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');

function stateOf(key: ApiKeyObject, nowSeconds: number): string {
  if (key.revoked_at !== null) return 'revoked';
  return key.expires_at !== null && key.expires_at <= nowSeconds ? 'expired' : 'works';
}

export interface NewKeyOptions {
  readonly tenant: string;
  readonly name: string;
  readonly scope: readonly string[];
  readonly expires: string | null;
  readonly json: boolean;
}

/** `eyrie admin keys create`. The key alone goes to standard output, so that it can be piped to where it is kept. */
export async function createAdminKey(world: AdminWorld, options: NewKeyOptions): Promise<void> {
  const tenant = checkTenant(options.tenant);
  const asked: unknown = {
    name: options.name,
    scopes: [
      ...new Set(options.scope.flatMap((scope): readonly string[] => (scope === 'all' ? plainScopes : [scope]))),
    ],
    ...(options.expires === null ? {} : { expires_after: parseTimeSpan(options.expires, '--expires') }),
  };
  const key = await createKey(world, tenant, parseWith<NewKey>(createKeyRequest, asked));
  if (options.json) {
    print(JSON.stringify(key));
    return;
  }
  note(`${key.id}  ${tenant}  ${key.scopes.join(' ')}  expires: ${day(key.expires_at)}`);
  note('This is the only time that the key is shown:');
  print(key.key);
}

/** `eyrie admin keys list`. */
export async function listAdminKeys(
  world: AdminWorld,
  options: { readonly tenant: string; readonly json: boolean },
): Promise<void> {
  const tenant = checkTenant(options.tenant);
  const found: ApiKeyObject[] = [];
  let after: string | null = null;
  do {
    const page = await listKeys(world.store, tenant, { after, limit: bounds.keysPageMax });
    found.push(...page.data);
    after = page.has_more ? page.last_id : null;
  } while (after !== null);
  if (options.json) {
    print(JSON.stringify(found));
    return;
  }
  if (found.length === 0) note(`${tenant} has no keys in the store. Keys of the tenants file are not listed here.`);
  const now = Math.floor(world.clock.now() / 1000);
  for (const key of found)
    print(
      [
        key.id,
        stateOf(key, now).padEnd(7),
        `made ${day(key.created_at)}`,
        `used ${day(key.last_used_at).padEnd(16)}`,
        `expires ${day(key.expires_at).padEnd(16)}`,
        key.scopes.join(' '),
        key.name,
      ].join('  '),
    );
}

/** `eyrie admin keys revoke`. The operator need not know whose key it is. */
export async function revokeAdminKey(
  world: AdminWorld,
  keyId: string,
  options: { readonly json: boolean },
): Promise<void> {
  const found = await findKey(world.store, keyId);
  if (!found)
    throw new EyrieError(
      'not_found',
      `No key found with id '${keyId.slice(0, 80)}'. \`eyrie admin keys list\` shows a tenant's keys.`,
    );
  const key = await revokeKey(world, found.key.tenant, keyId);
  if (options.json) print(JSON.stringify(key));
  else
    note(
      `${key.id} of ${found.key.tenant} is revoked. Running services refuse it within ${bounds.keyFreshMs / 1000} s.`,
    );
}
