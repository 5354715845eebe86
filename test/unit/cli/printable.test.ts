import { expect, test } from 'vitest';
import { printable } from '../../../src/cli/printable.js';

test.each([
  ['\x1b]0;title\x07', '\\u001b]0;title\\u0007'],
  ['\x1b[2J', '\\u001b[2J'],
  ['\x1b]52;c;AAAA\x1b\\', '\\u001b]52;c;AAAA\\u001b\\'],
  ['\x9b31m', '\\u009b31m'],
  ['a\rb\bc\x7f', 'a\\u000db\\u0008c\\u007f'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
  ['two\n\tlines, ä 文 🙂', 'two\n\tlines, ä 文 🙂'],
])('%j is shown as %j', (text, shown) => expect(printable(text)).toBe(shown));

test('JSON stays JSON', () => {
  const value = { text: '\x9b31m \u202e \x1b[2J' };
  expect(JSON.parse(printable(JSON.stringify(value, null, 2)))).toEqual(value);
});
