import { describe, expect, it } from 'vitest';
import { isPublicAddress, parseTarget } from '../../../../src/adapters/webhook-http/egress-rules.js';

describe('isPublicAddress', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.0.1',
    '192.167.1.1',
    '2606:4700::1111',
    '2a00::1',
  ])('takes %s', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.19.255.255',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'localhost',
    '',
  ])('refuses %s', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('parseTarget', () => {
  it.each([
    'https://example.com/hook',
    'https://example.com:443/hook',
    'https://1.1.1.1/',
    'https://[2606:4700::1111]/',
  ])('takes %s', (url) => expect(parseTarget(url, false).protocol).toBe('https:'));

  it.each([
    ['http://example.com/', 'only https'],
    ['https://example.com:8443/', '443'],
    ['https://user@example.com/', 'user and password'],
    ['https://:pw@example.com/', 'user and password'],
    ['ftp://example.com/', 'only https'],
    ['file:///etc/passwd', 'only https'],
    ['not a url', 'not a URL'],
    ['https://localhost/', 'address'],
    ['https://LOCALHOST/', 'address'],
    ['https://a.localhost/', 'address'],
    ['https://example.com./', 'address'],
    ['https://127.0.0.1/', 'address'],
    // Other ways to write 127.0.0.1 and 169.254.169.254.
    ['https://2130706433/', 'address'],
    ['https://0x7f.1/', 'address'],
    ['https://0177.0.0.1/', 'address'],
    ['https://127.1/', 'address'],
    ['https://169.254.169.254/latest/meta-data', 'address'],
    ['https://[::1]/', 'address'],
    ['https://[::ffff:127.0.0.1]/', 'address'],
    ['https://[fe80::1]/', 'address'],
  ])('refuses %s', (url, words) => expect(() => parseTarget(url, false)).toThrow(words));

  it('takes http, any port and private addresses in local mode, but no credentials', () => {
    for (const url of ['http://127.0.0.1:9000/', 'http://localhost/', 'https://10.0.0.1:8443/'])
      expect(parseTarget(url, true).href).toContain('/');
    expect(() => parseTarget('http://user:pw@localhost/', true)).toThrow('user and password');
    expect(() => parseTarget('ftp://localhost/', true)).toThrow('only https');
  });
});
