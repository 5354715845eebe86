import { expect, test } from 'vitest';
import { BadRequestError } from 'openai';
import { listening } from './listening.js';

test('embeddings are refused clearly, and the client asks once', async () => {
  const { client, world } = await listening();
  const error = await client.embeddings.create({ model: 'falcon', input: 'x' }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(BadRequestError);
  expect(error).toMatchObject({ code: 'unsupported_value', message: expect.stringContaining('not offered') });
  expect(world.log.of('http.request')).toHaveLength(1);
});
