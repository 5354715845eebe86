import { expect, test } from 'vitest';
import { HttpEgressRules } from '../../../../src/adapters/webhook-http/http-egress-rules.js';
import { NameFailed } from '../../../../src/adapters/webhook-http/names/ask-servers.js';
import type { Names } from '../../../../src/adapters/webhook-http/names/name-lookup.js';
import { noPublicAddress } from '../../../../src/adapters/webhook-http/public-addresses.js';
import { FixedNames } from '../../../support/fixed-names.js';

const rules = (names: Names, allowPrivate = false) => new HttpEgressRules({ allowPrivate, names });
const failing = (code: 'ENOTFOUND' | 'ETIMEOUT'): Names => ({ find: () => Promise.reject(new NameFailed(code)) });

test.each([
  ['http://example.com/', 'only https is allowed'],
  ['ftp://example.com/', 'only https is allowed'],
  ['https://example.com:8443/', 'only port 443 is allowed'],
  ['https://user:pass@example.com/', 'user and password in the URL are not allowed'],
  ['https://localhost/', 'address not allowed'],
  ['https://example.com./', 'address not allowed'],
  ['https://127.0.0.1/', 'address not allowed'],
  ['https://2130706433/', 'address not allowed'],
  ['https://0x7f.1/', 'address not allowed'],
  ['https://[::1]/', 'address not allowed'],
  ['https://[::ffff:10.0.0.1]/', 'address not allowed'],
  ['https://169.254.169.254/latest/meta-data', 'address not allowed'],
  ['not a url', 'not a URL'],
])('%s is refused', async (url, reason) =>
  expect(await rules(new FixedNames('1.1.1.1')).refusalOf('acme', url)).toBe(reason),
);

test('a name is refused when any of its addresses is private', async () => {
  const refusal = (...addresses: string[]) =>
    rules(new FixedNames(...addresses)).refusalOf('acme', 'https://example.com/');
  expect(await refusal('1.1.1.1')).toBeNull();
  expect(await refusal('10.0.0.1')).toBe(noPublicAddress);
  expect(await refusal('1.1.1.1', '::1')).toBe(noPublicAddress);
  // Those behind the ones that a connection is tried to count as well.
  expect(await refusal(...Array<string>(20).fill('1.1.1.1'), '10.0.0.1')).toBe(noPublicAddress);
});

test('a name that is not there, one that cannot be looked up and one inside the network get the same answer', async () => {
  const answers = await Promise.all(
    [failing('ENOTFOUND'), failing('ETIMEOUT'), new FixedNames('10.0.0.1'), new FixedNames('127.0.0.1')].map((names) =>
      rules(names).refusalOf('acme', 'https://db.internal.example/'),
    ),
  );
  expect(new Set(answers)).toEqual(new Set([noPublicAddress]));
});

test('public literals pass', async () => {
  for (const url of ['https://1.1.1.1/', 'https://[2606:4700::1111]/'])
    expect(await rules(new FixedNames()).refusalOf('acme', url)).toBeNull();
});

test('too many look-ups of a tenant are an error, not a verdict', async () => {
  const busy: Names = { find: () => Promise.reject(new Error('busy')) };
  await expect(rules(busy).refusalOf('acme', 'https://example.com/')).rejects.toThrow('busy');
});

test('in local mode every address is fine, but only by http and https, and no name is looked up beforehand', async () => {
  const names = new FixedNames('10.0.0.1');
  const local = rules(names, true);
  expect(await local.refusalOf('acme', 'http://127.0.0.1:3000/hook')).toBeNull();
  expect(await local.refusalOf('acme', 'http://db.internal/hook')).toBeNull();
  expect(await local.refusalOf('acme', 'file:///etc/passwd')).toBe('only https is allowed');
  expect(names.asked).toEqual([]);
});
