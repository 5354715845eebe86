import { describe, expect, it } from 'vitest';
import type { NativeEngine, NativeRequest, NativeResult } from '../../src/adapters/engine-native/native-types.js';
import { openTiny, randomPrompt, seededRandom, tinyCheckpoint, tinyRequest } from '../support/tiny-falcon.js';

/** 60 requests of all kinds: lengths around tile edges, greedy and sampled, penalties, stop strings, log-probabilities. */
function mixedRequests(): NativeRequest[] {
  const random = seededRandom(7);
  const lengths = [1, 2, 31, 32, 33, 63, 64, 65, 95, 127, 128, 129, 191, 200, 256];
  return Array.from({ length: 60 }, (_, i) =>
    tinyRequest({
      promptIds: randomPrompt(random, lengths[i % lengths.length] ?? 1),
      maxTokens: 1 + Math.floor(random() * 40),
      ignoreEos: i % 3 === 0,
      temperature: i % 2 === 0 ? 0.9 : 0,
      topP: i % 4 === 0 ? 0.8 : 1,
      topK: i % 5 === 0 ? 20 : 0,
      repetitionPenalty: i % 7 === 0 ? 1.3 : 1,
      frequencyPenalty: i % 11 === 0 ? 0.4 : 0,
      seed: BigInt(i),
      sequenceKey: BigInt(i % 3),
      stop: i % 6 === 0 ? [Buffer.from('aB'), Buffer.from('k')] : [],
      logprobs: i % 4 === 1 ? 3 : -1,
      promptLogprobs: i % 10 === 3,
    }),
  );
}

async function runAll(engine: NativeEngine, requests: readonly NativeRequest[], order: readonly number[]) {
  const results: NativeResult[] = [];
  await Promise.all(
    order.map(async (i) => {
      const request = requests[i];
      if (request) results[i] = await engine.generate(i, request);
    }),
  );
  return results;
}

function shuffled(count: number, seed: number): number[] {
  const random = seededRandom(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  return order
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

describe.each(['float32', 'bfloat16', 'int8'] as const)('results in %s depend on the request alone', (dtype) => {
  it('whatever the order, slots, prefill budget and threads', async () => {
    const modelDirectory = await tinyCheckpoint();
    const requests = mixedRequests();
    const inOrder = requests.map((_, i) => i);
    const alone = await openTiny({ modelDirectory, dtype, slots: 1, prefillTokens: 4096 });
    const expected = await runAll(alone, requests, inOrder);
    expect(new Set(expected.map((result) => String(result.tokenIds))).size).toBeGreaterThan(50);
    const variants = [
      { slots: 4, prefillTokens: 16, threads: 1 },
      { slots: 4, prefillTokens: 128, threads: 2 },
      { slots: 17, prefillTokens: 512, threads: 2 },
      { slots: 64, prefillTokens: 4096, threads: 1 },
    ];
    for (const [round, variant] of variants.entries()) {
      const engine = await openTiny({ modelDirectory, dtype, ...variant });
      const results = await runAll(engine, requests, shuffled(requests.length, round));
      for (const i of inOrder) expect(results[i], `request ${i} with ${JSON.stringify(variant)}`).toEqual(expected[i]);
    }
  });

  it('and a copied prefix gives the same bytes as a computed one', async () => {
    const modelDirectory = await tinyCheckpoint();
    const random = seededRandom(3);
    const shared = randomPrompt(random, 150);
    const requests = Array.from({ length: 24 }, (_, i) => {
      const own = randomPrompt(random, 1 + (i % 9));
      // Some diverge early, some are equal, some are the bare prefix.
      const prefix = shared.slice(0, [150, 150, 100, 64, 128][i % 5]);
      return tinyRequest({
        promptIds: Uint32Array.of(...prefix, ...own),
        temperature: 1,
        seed: BigInt(i >> 1),
        logprobs: 2,
      });
    });
    const alone = await openTiny({ modelDirectory, dtype, slots: 1, prefillTokens: 4096 });
    const expected: NativeResult[] = [];
    for (const [i, request] of requests.entries()) {
      // A prompt that shares nothing overwrites the slot, so nothing can be copied.
      await alone.generate(1000, tinyRequest({ promptIds: randomPrompt(random, 300), maxTokens: 1 }));
      expected[i] = await alone.generate(i, request);
    }
    const engine = await openTiny({ modelDirectory, dtype, slots: 5, prefillTokens: 64, threads: 2 });
    const results = await runAll(engine, requests, shuffled(requests.length, 5));
    expect(results).toEqual(expected);
  });
});

describe('a prompt cut anywhere', () => {
  it.each(['float32', 'bfloat16'] as const)(
    'prefill(n) and one decode step equal prefill(n + 1) in %s',
    async (dtype) => {
      const engine = await openTiny({ dtype, slots: 8 });
      const tokens = randomPrompt(seededRandom(5), 300);
      const edges = [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257];
      for (const [i, n] of edges.entries()) {
        // Forces token n of the text, so that the second generated token is computed by a decode step over it.
        const forced = { logitBiasIds: Uint32Array.of(tokens[n] ?? 0), logitBiasValues: Float32Array.of(1000) };
        const request = tinyRequest({ maxTokens: 2, logprobs: 20 });
        const [decoded, prefilled] = await Promise.all([
          engine.generate(2 * i, { ...request, promptIds: tokens.slice(0, n), ...forced }),
          engine.generate(2 * i + 1, { ...request, promptIds: tokens.slice(0, n + 1), maxTokens: 1 }),
        ]);
        expect(decoded.tokenIds[0]).toBe(tokens[n]);
        expect(decoded.topIds?.slice(20, 40), `n = ${n}`).toEqual(prefilled.topIds);
        expect(decoded.topLogprobs?.slice(20, 40), `n = ${n}`).toEqual(prefilled.topLogprobs);
      }
    },
  );
});
