/** What a key may be used for. A key has the scopes it was made with and no others: `admin` does not imply the rest. */
export const scopes = Object.freeze([
  'files:read',
  'files:write',
  'batches:read',
  'batches:write',
  /** Calls that wait for their answer. */
  'generate',
  'webhooks:read',
  'webhooks:write',
  'reports:read',
  'reports:write',
  /** Making and revoking keys of the own tenant. */
  'admin',
] as const);
export type Scope = (typeof scopes)[number];

/** All but `admin`: what a key needs for the whole of the service. */
export const plainScopes: readonly Scope[] = Object.freeze(scopes.filter((scope) => scope !== 'admin'));

/** Who may call a route: everybody, the holder of any valid key, or of a key with this scope. */
export type Access = 'public' | 'any key' | Scope;
