import { expect, test } from 'vitest';
import { formatTable } from '../../../src/cli/demo/answer-table.js';

test('what a model wrote stays in its row, and steers no terminal', () => {
  const answer = '\x1b]0;title\x07\x1b[2J\x9b31m\u202eone\ntwo';
  const table = formatTable([{ question: 'a\x1b[2J', answer, failed: false }], 140);
  expect(table.split('\n')).toHaveLength(3);
  expect(table).toContain('\\u001b[2J');
  expect(table).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
});
