import { expect, test } from 'vitest';
import { plainScopes, scopes } from '../../../src/domain/scopes.js';
import { requireScope } from '../../../src/http/authenticate.js';

test('a scope that the key has is enough, whatever others it lacks', () => {
  for (const scope of scopes) expect(() => requireScope({ scopes: [scope] }, scope)).not.toThrow();
});

test('a missing scope is named, with those that the key has', () => {
  const caller = { scopes: ['files:read', 'batches:read'] as const };
  expect(() => requireScope(caller, 'batches:write')).toThrowError(
    expect.objectContaining({
      code: 'insufficient_scope',
      message: expect.stringMatching(/'batches:write'.*files:read, batches:read/),
    }),
  );
});

test('the right to make keys is among no other rights, and gives none', () => {
  expect(plainScopes).not.toContain('admin');
  expect(() => requireScope({ scopes: plainScopes }, 'admin')).toThrow();
  expect(() => requireScope({ scopes: ['admin'] }, 'files:read')).toThrow();
});
