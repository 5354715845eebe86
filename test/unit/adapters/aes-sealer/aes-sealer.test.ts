import { expect, test } from 'vitest';
import { AesSealer } from '../../../../src/adapters/aes-sealer/aes-sealer.js';

const key = (version: number) => ({ version, bytes: new Uint8Array(32).fill(version) });
const secret = 'whsec_abc';

test('what was sealed opens again, for the same context only', () => {
  const sealer = new AesSealer([key(1)]);
  const sealed = sealer.seal(secret, 'acme/we_1');
  expect(sealer.open(sealed, 'acme/we_1')).toBe(secret);
  expect(sealer.open(sealed, 'other/we_1')).toBeNull();
});

test('the box holds nothing of the secret, and is another one each time', () => {
  const sealer = new AesSealer([key(1)]);
  const boxes = [sealer.seal(secret, 'a').box, sealer.seal(secret, 'a').box];
  expect(boxes[0]).not.toBe(boxes[1]);
  for (const box of boxes) expect(Buffer.from(box, 'base64').includes(secret)).toBe(false);
});

test('the first key seals, and all of them open', () => {
  const before = new AesSealer([key(1)]).seal(secret, 'a');
  const after = new AesSealer([key(2), key(1)]);
  expect(after.seal(secret, 'a').keyVersion).toBe(2);
  expect(after.open(before, 'a')).toBe(secret);
  expect(new AesSealer([key(2)]).open(before, 'a')).toBeNull();
});

test('a box with any byte changed, or cut short, does not open', () => {
  const sealer = new AesSealer([key(1)]);
  const sealed = sealer.seal(secret, 'a');
  const bytes = Buffer.from(sealed.box, 'base64');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(sealer.open({ ...sealed, box: changed.toString('base64') }, 'a'), `byte ${at}`).toBeNull();
    expect(sealer.open({ ...sealed, box: bytes.subarray(0, at).toString('base64') }, 'a'), `cut at ${at}`).toBeNull();
  }
});

test('without a key nothing is sealed', () => {
  const sealer = new AesSealer([]);
  expect(sealer.ready).toBe(false);
  expect(() => sealer.seal(secret, 'a')).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  expect(sealer.open(new AesSealer([key(1)]).seal(secret, 'a'), 'a')).toBeNull();
});
