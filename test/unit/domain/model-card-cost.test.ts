import { expect, test } from 'vitest';
import { readModelCard } from '../../../src/domain/model-card.js';

const million = 1_000_000;

test.each([
  ['headings', '# limitation\n'.repeat(million / 13)],
  ['deep headings', '###### limitation\n'.repeat(million / 18)],
  ['blanks in a heading', `# limitation${' '.repeat(million)}x`],
  ['hashes in a heading', `# limitation ${'# '.repeat(million / 2)}x`],
  ['blanks in the front matter', `---\nlicense:${' '.repeat(million)}x${' '.repeat(1000)}y\n---\n`],
  ['fences', '```\n'.repeat(million / 4)],
])('a card of %s takes time in line with its bytes', (_name, card) => {
  const before = process.cpuUsage();
  readModelCard(card);
  const { user } = process.cpuUsage(before);
  expect(user / 1e6, 'seconds').toBeLessThan(5);
});
