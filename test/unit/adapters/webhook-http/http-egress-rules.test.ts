import { expect, test } from 'vitest';
import type { LookupAll } from '../../../../src/adapters/webhook-http/guarded-lookup.js';
import { HttpEgressRules } from '../../../../src/adapters/webhook-http/http-egress-rules.js';

const found =
  (...addresses: string[]): LookupAll =>
  (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
/** Literals look themselves up, as the system does it. */
const literal: LookupAll = (name, options, callback) => found(name)(name, options, callback);
const notFound: LookupAll = (_name, _options, callback) =>
  callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []);

const rules = (lookup: LookupAll, allowPrivate = false) => new HttpEgressRules({ allowPrivate, lookup, lookupMs: 20 });

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
])('%s is refused', async (url, reason) => expect(await rules(literal).refusalOf(url)).toBe(reason));

test('a name is refused when any of its addresses is private', async () => {
  expect(await rules(found('1.1.1.1')).refusalOf('https://example.com/')).toBeNull();
  expect(await rules(found('10.0.0.1')).refusalOf('https://example.com/')).toBe('address not allowed');
  expect(await rules(found('1.1.1.1', '::1')).refusalOf('https://example.com/')).toBe('address not allowed');
});

test('public literals pass', async () => {
  for (const url of ['https://1.1.1.1/', 'https://[2606:4700::1111]/'])
    expect(await rules(literal).refusalOf(url)).toBeNull();
});

test('a name that cannot be looked up now, or not in time, is left to the sender', async () => {
  expect(await rules(notFound).refusalOf('https://example.com/')).toBeNull();
  expect(await rules(() => undefined).refusalOf('https://example.com/')).toBeNull();
});

test('in local mode every address is fine, but only by http and https', async () => {
  const local = rules(() => {
    throw new Error('nothing is looked up');
  }, true);
  expect(await local.refusalOf('http://127.0.0.1:3000/hook')).toBeNull();
  expect(await local.refusalOf('file:///etc/passwd')).toBe('only https is allowed');
});
