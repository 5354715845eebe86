import path from 'node:path';
import { expect, test } from 'vitest';
import { benchPadding } from '../../bench/padding.js';
import { projectRoot } from '../support/project-imports.js';

test('the padding bench runs on the demo model, whose context is shorter than its longest lines', async () => {
  const model = path.join(projectRoot, 'models/demo');
  const figures = await benchPadding({ model, lines: 60, slots: 4, prefillTokens: 512 });
  expect(figures.useful_tokens).toBeGreaterThan(5000);
  expect(figures.wasted_share).toBeLessThan(0.1);
  expect(figures.static_batches_share).toBeGreaterThan(figures.wasted_share);
}, 120_000);
