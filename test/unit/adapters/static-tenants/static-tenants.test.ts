import { expect, it } from 'vitest';
import { keyDigest } from '../../../../src/adapters/static-tenants/key-digest.js';
import { defaultQuotas } from '../../../../src/domain/quotas.js';
import { StaticTenants, type StaticTenant } from '../../../../src/adapters/static-tenants/static-tenants.js';

const pepper = 'pepper of the test';
const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

function tenant(name: string, keys: readonly string[], more: Partial<StaticTenant> = {}): StaticTenant {
  const keyDigests = keys.map((key) => keyDigest(pepper, key));
  return { tenant: name, keyDigests, endpoints: [], signingSecrets: [], watchInbox: false, ...more };
}

it('finds the tenant of a key, of two keys while one is replaced, and of no other text', async () => {
  const tenants = new StaticTenants({ pepper, tenants: [tenant('a', ['ey_1_x', 'ey_2_y']), tenant('b', ['ey_3_z'])] });
  expect(await tenants.tenantOfKey('ey_1_x')).toBe('a');
  expect(await tenants.tenantOfKey('ey_2_y')).toBe('a');
  expect(await tenants.tenantOfKey('ey_3_z')).toBe('b');
  for (const wrong of ['', 'ey_1_', 'ey_1_x ', 'EY_1_X', keyDigest(pepper, 'ey_1_x')])
    expect(await tenants.tenantOfKey(wrong)).toBeNull();
});

it('knows the tenant of a key without waiting', () => {
  const tenants = new StaticTenants({ pepper, tenants: [tenant('a', ['ey_1_x', 'ey_2_y']), tenant('b', ['ey_3_z'])] });
  expect(['ey_1_x', 'ey_2_y', 'ey_3_z', '', 'ey_1_'].map((key) => tenants.knownTenantOfKey(key))).toEqual([
    'a',
    'a',
    'b',
    null,
    null,
  ]);
});

it('does not take a digest made under another pepper', async () => {
  const tenants = new StaticTenants({ pepper: 'another', tenants: [tenant('a', ['ey_1_x'])] });
  expect(await tenants.tenantOfKey('ey_1_x')).toBeNull();
});

it('knows endpoints, secrets and inboxes', async () => {
  const endpoints = [{ id: 'we_1', url: 'https://example.com/hook' }];
  const tenants = new StaticTenants({
    pepper,
    tenants: [tenant('a', [], { endpoints, signingSecrets: [secret], watchInbox: true }), tenant('b', [])],
  });
  expect(await tenants.webhookEndpoints('a')).toEqual(endpoints);
  expect(await tenants.signingSecrets('a')).toEqual([secret]);
  expect(await tenants.webhookEndpoints('nobody')).toEqual([]);
  expect(await tenants.signingSecrets('nobody')).toEqual([]);
  expect(tenants.inboxTenants()).toEqual(['a']);
});

it.each([
  ['tenants[0].tenant', [tenant('A', [])]],
  ['tenants[1].tenant', [tenant('a', []), tenant('a', [])]],
  ['tenants[0].keyDigests', [tenant('a', [], { keyDigests: ['ey_1_the-key-itself'] })]],
  ['tenants[0].signingSecrets', [tenant('a', [], { signingSecrets: ['whsec_short'] })]],
])('refuses a wrong %s without showing secrets', (param, tenants) => {
  let error: unknown;
  try {
    error = new StaticTenants({ pepper, tenants });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: 'config_invalid', param });
  expect(String(error)).not.toMatch(/the-key-itself|whsec_short/);
});

it('quotas are the defaults but for those that are given; null is no limit', () => {
  const named = { tenant: 'a', keyDigests: [], endpoints: [], signingSecrets: [], watchInbox: false };
  const tenants = new StaticTenants({
    pepper: 'p',
    tenants: [{ ...named, quotas: { openBatches: 5, filesBytes: null, queuedTokens: undefined } }],
  });
  expect(tenants.quotas('a')).toEqual({ ...defaultQuotas, openBatches: 5, filesBytes: null });
  expect(tenants.quotas('unknown')).toEqual(defaultQuotas);
});
