import { expect, it } from 'vitest';
import { parseRetryAfter } from '../../../../src/adapters/webhook-http/retry-after.js';

const now = Date.parse('Wed, 25 Nov 2026 12:00:00 GMT');

it.each([
  [undefined, null],
  ['', null],
  ['0', 0],
  ['120', 120_000],
  [' 7 ', 7000],
  ['Wed, 25 Nov 2026 12:01:30 GMT', 90_000],
  ['Wed, 25 Nov 2026 11:00:00 GMT', 0],
  ['-5', null],
  ['1.5', null],
  ['soon', null],
  ['99999999999999999999', null],
  [['30', '60'], 30_000],
])('reads %j as %j ms', (header, ms) => expect(parseRetryAfter(header, now)).toBe(ms));
