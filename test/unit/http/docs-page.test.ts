import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeSchema } from '../../../src/http/openapi/docs-page.js';
import { toJsonSchema } from '../../../src/http/openapi/json-schema.js';

test.each([
  [z.int().min(1).max(100).default(20), 'integer 1..100, default 20'],
  [z.literal('24h'), '"24h"'],
  [z.enum(['asc', 'desc']), '"asc" | "desc"'],
  [z.string().max(128).nullish(), 'string ..128 characters | null'],
  [z.array(z.int()).max(3), 'array of integer ..3 items'],
  [z.unknown(), 'any'],
])('a schema in words: %#', (schema, words) => {
  expect(describeSchema(toJsonSchema(schema, 'input'))).toBe(words);
});

test('a part of a form that is a file', () => {
  expect(describeSchema({ contentMediaType: 'application/octet-stream' })).toBe('file');
});
