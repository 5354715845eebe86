import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { answering, jsonPost } from './answering.js';

const number = fc.oneof(
  fc.integer({ min: -3, max: 40 }),
  fc.double(),
  fc.constantFrom(0, -0, 1, 2, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 53, 2 ** 63, -(2 ** 63), 2 ** 64, 1e-46),
);
const text = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.constantFrom('', '\ud83d', '\0', '<|endoftext|>', '鷲', 'x'.repeat(200)),
);
const anything = fc.oneof(number, text, fc.boolean(), fc.constant(null), fc.jsonValue({ maxDepth: 2 }));
const often = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 60, arbitrary: right }, { weight: 1, arbitrary: anything });

const id = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(256, 257, 65_024, -1, 0.5, 2 ** 32));
const fields = {
  temperature: often(fc.double({ min: 0, max: 2, noNaN: true })),
  top_p: often(fc.double({ min: 0, max: 1, noNaN: true })),
  top_k: often(fc.integer({ min: -1, max: 300 })),
  min_p: often(fc.double({ min: 0, max: 1, noNaN: true })),
  n: often(fc.integer({ min: 1, max: 4 })),
  best_of: often(fc.integer({ min: 1, max: 4 })),
  stop: often(fc.oneof(text, fc.array(text, { maxLength: 4 }))),
  seed: often(fc.maxSafeInteger()),
  logit_bias: often(fc.dictionary(id.map(String), fc.integer({ min: -100, max: 100 }), { maxKeys: 4 })),
  presence_penalty: often(fc.double({ min: -2, max: 2, noNaN: true })),
  frequency_penalty: often(fc.double({ min: -2, max: 2, noNaN: true })),
  repetition_penalty: often(fc.double({ min: 0.001, max: 10, noNaN: true })),
  min_tokens: often(fc.integer({ min: 0, max: 8 })),
  max_tokens: often(fc.integer({ min: 0, max: 16 })),
  logprobs: often(fc.integer({ min: 0, max: 5 })),
  echo: often(fc.boolean()),
  ignore_eos: often(fc.boolean()),
  return_token_ids: often(fc.boolean()),
  user: often(text),
};
const prompt = often(
  fc.oneof(
    text,
    fc.array(id, { maxLength: 5 }),
    fc.array(text, { maxLength: 3 }),
    fc.array(fc.array(id, { maxLength: 3 }), { maxLength: 3 }),
  ),
);
const body = fc.record({ model: fc.constant('falcon'), prompt, ...fields }, { requiredKeys: ['model', 'prompt'] });

test('900 calls with fields at random: none is our fault, and the server goes on', { timeout: 300_000 }, async () => {
  const { call, world } = await answering(() => 'abc');
  let answered = 0;
  for (const [n, value] of fc.sample(body, { numRuns: 900, seed: 11 }).entries()) {
    const asked = JSON.stringify(value);
    const answer = call('/v1/completions', jsonPost(JSON.parse(asked) as object));
    const got = { status: 0, said: '' };
    const done = answer.then(async (response) => {
      got.said = await response.text();
      got.status = response.status;
    });
    while (got.status === 0) {
      await world.clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    const { status, said } = got;
    expect(status, `call ${n}: ${asked} gave ${said}`).toBeLessThan(500);
    expect(() => JSON.parse(said) as unknown).not.toThrow();
    if (status === 200) answered++;
  }
  // They must not all be refused at the door.
  expect(answered).toBeGreaterThan(90);
});
