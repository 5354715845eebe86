import { describe, expect, it } from 'vitest';
import type { NativeEngine, NativeRequest } from '../../src/adapters/engine-native/native-types.js';
import {
  END_TOKEN,
  openTiny,
  randomPrompt,
  seededRandom,
  tinyConfig,
  tinyRequest,
  tinyTokenBytes,
} from '../support/tiny-falcon.js';

const { bytes, ends } = tinyTokenBytes();
const bytesOf = (id: number): Uint8Array => bytes.subarray(id === 0 ? 0 : ends[id - 1], ends[id]);
const textOf = (ids: Iterable<number>): string => Buffer.concat([...ids].map(bytesOf)).toString('latin1');

/** Makes the engine say one token again and again, by a bias that no logit outweighs. */
const say = (engine: NativeEngine, id: number, changes: Partial<NativeRequest>) =>
  engine.generate(
    1,
    tinyRequest({ logitBiasIds: Uint32Array.of(id), logitBiasValues: Float32Array.of(1000), ...changes }),
  );

describe('the end of a sequence', () => {
  it('is the token limit, with all tokens in the text', async () => {
    const engine = await openTiny();
    const result = await engine.generate(1, tinyRequest({ maxTokens: 9 }));
    expect(result.finishReason).toBe('length');
    expect(result.tokenIds).toHaveLength(9);
    expect(Buffer.from(result.textBytes).toString('latin1')).toBe(textOf(result.tokenIds));
  });

  it('is the end token, which is counted but not in the text', async () => {
    const engine = await openTiny();
    const result = await say(engine, END_TOKEN, { ignoreEos: false });
    expect(result).toMatchObject({ finishReason: 'stop', tokenIds: Uint32Array.of(END_TOKEN) });
    expect(result.textBytes).toHaveLength(0);
  });

  it('is not the end token with ignoreEos', async () => {
    const engine = await openTiny();
    const result = await say(engine, END_TOKEN, { ignoreEos: true, maxTokens: 3 });
    expect(result).toMatchObject({ finishReason: 'length', tokenIds: Uint32Array.of(END_TOKEN, END_TOKEN, END_TOKEN) });
  });

  it('is not the end token before minTokens', async () => {
    const engine = await openTiny();
    const result = await say(engine, END_TOKEN, { ignoreEos: false, minTokens: 4 });
    expect(result.finishReason).toBe('stop');
    expect(result.tokenIds).toHaveLength(5);
    expect([...result.tokenIds].indexOf(END_TOKEN)).toBe(4);
  });
});

describe('a stop string', () => {
  // Token 60 is "iI".
  it('is found across token borders and left out of the text', async () => {
    const engine = await openTiny();
    const result = await say(engine, 60, { stop: [Buffer.from('IiIi')], maxTokens: 10 });
    expect(result.finishReason).toBe('stop');
    expect(Buffer.from(result.textBytes).toString()).toBe('i');
    expect(result.tokenIds).toEqual(Uint32Array.of(60, 60, 60));
  });

  it('that is complete first wins, the longest of them on a tie', async () => {
    const engine = await openTiny();
    const stops = (list: string[]) => ({ stop: list.map((text) => Buffer.from(text)), maxTokens: 10 });
    const first = await say(engine, 60, stops(['iIiIiI', 'Ii']));
    expect(Buffer.from(first.textBytes).toString()).toBe('i');
    const longest = await say(engine, 60, stops(['I', 'iI']));
    expect(Buffer.from(longest.textBytes).toString()).toBe('');
  });

  it('is matched on bytes, so inside a character that two tokens share', async () => {
    const engine = await openTiny();
    const result = await say(engine, 12, { stop: [Buffer.from([0xc3, 0xc3])], maxTokens: 5 });
    expect(result).toMatchObject({ finishReason: 'stop', tokenIds: Uint32Array.of(12, 12) });
  });

  it('does not count in the prompt or before minTokens', async () => {
    const engine = await openTiny();
    const result = await say(engine, 60, {
      promptIds: Uint32Array.of(60, 60, 60),
      stop: [Buffer.from('iI')],
      minTokens: 3,
      maxTokens: 10,
    });
    expect(result.finishReason).toBe('stop');
    expect(result.tokenIds).toHaveLength(4);
    expect(Buffer.from(result.textBytes).toString()).toBe('iIiIiI');
  });

  it('is refused without a tokenizer', async () => {
    const engine = await openTiny({ tokenBytes: null, tokenByteEnds: null });
    await expect(engine.generate(1, tinyRequest({ stop: [Buffer.from('x')] }))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('stop') as string,
    });
    const result = await engine.generate(1, tinyRequest());
    expect(result.textBytes).toHaveLength(0);
    expect(result.tokenIds).toHaveLength(16);
  });
});

describe('log-probabilities', () => {
  const promptIds = randomPrompt(seededRandom(2), 70);

  it('are null unless asked for', async () => {
    const engine = await openTiny();
    expect(await engine.generate(1, tinyRequest())).toMatchObject({
      logprobs: null,
      topIds: null,
      topLogprobs: null,
      promptLogprobs: null,
      promptTopIds: null,
      promptTopLogprobs: null,
    });
  });

  it('are those of the raw logits, best first, and sum to at most one', async () => {
    const engine = await openTiny();
    const k = 20;
    const plain = await engine.generate(1, tinyRequest({ promptIds, logprobs: k }));
    const hot = await engine.generate(2, tinyRequest({ promptIds, logprobs: k, temperature: 1.7, maxTokens: 1 }));
    expect(plain.logprobs).toHaveLength(16);
    expect(plain.topIds).toHaveLength(16 * k);
    // Greedy: the chosen token is the best entry. Temperature changes the choice, never the values.
    for (const [i, id] of plain.tokenIds.entries()) {
      expect(plain.topIds?.[i * k]).toBe(id);
      expect(plain.topLogprobs?.[i * k]).toBe(plain.logprobs?.[i]);
      const row = [...(plain.topLogprobs?.subarray(i * k, (i + 1) * k) ?? [])];
      expect(row).toEqual(row.toSorted((a, b) => b - a));
      expect(row.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeLessThanOrEqual(1 + 1e-5);
    }
    expect(hot.topLogprobs).toEqual(plain.topLogprobs?.slice(0, k));
  });

  it('of the prompt are those of generating it, and the first is NaN', async () => {
    const engine = await openTiny({ slots: 2, prefillTokens: 64 });
    const scored = await engine.generate(
      1,
      tinyRequest({ promptIds, maxTokens: 0, promptLogprobs: true, logprobs: 2 }),
    );
    expect(scored).toMatchObject({ finishReason: 'length', tokenIds: new Uint32Array(0) });
    expect(scored.promptLogprobs).toHaveLength(promptIds.length);
    expect(scored.promptLogprobs?.[0]).toBeNaN();
    for (const n of [1, 2, 31, 63, 64, 69]) {
      const forced = { logitBiasIds: promptIds.slice(n, n + 1), logitBiasValues: Float32Array.of(1000) };
      const generated = await engine.generate(
        2,
        tinyRequest({ promptIds: promptIds.slice(0, n), maxTokens: 1, logprobs: 2, ...forced }),
      );
      expect(generated.logprobs?.[0]).toBe(scored.promptLogprobs?.[n]);
      expect(generated.topIds).toEqual(scored.promptTopIds?.slice(2 * n, 2 * n + 2));
    }
  });
});

describe('the report', () => {
  it('counts tokens, packs, steps and idle rows', async () => {
    const engine = await openTiny({ slots: 4, prefillTokens: 64 });
    const random = seededRandom(9);
    const prompts = [100, 7, 30, 64, 20, 20, 20, 20].map((count) => randomPrompt(random, count));
    await Promise.all(prompts.map((promptIds, i) => engine.generate(i, tinyRequest({ promptIds, maxTokens: 10 }))));
    const report = engine.report();
    expect(report.promptTokens).toBe(281);
    expect(report.generatedTokens).toBe(80);
    expect(report.overrunTokens).toBe(0);
    expect(report.prefillPacks).toBeGreaterThanOrEqual(5);
    expect(report.decodeSteps).toBeGreaterThanOrEqual(18);
    expect(report.idleSlotSteps).toBeLessThan(report.decodeSteps * 4);
    expect(report.prefillNanoseconds).toBeGreaterThan(0);
    expect(report.decodeNanoseconds).toBeGreaterThan(0);
  });
});

describe('a request that cannot be', () => {
  const cases: [string, Partial<NativeRequest>, string][] = [
    ['an empty prompt', { promptIds: new Uint32Array(0) }, 'promptIds'],
    ['an id outside the vocabulary', { promptIds: Uint32Array.of(tinyConfig.vocabSize) }, 'promptIds'],
    ['more tokens than a slot holds', { promptIds: new Uint32Array(500).fill(20), maxTokens: 13 }, 'slotTokens'],
    ['no tokens wanted', { maxTokens: 0 }, 'maxTokens'],
    ['minTokens above maxTokens', { minTokens: 17 }, 'minTokens'],
    ['a negative temperature', { temperature: -1 }, 'temperature'],
    ['a NaN temperature', { temperature: Number.NaN }, 'temperature'],
    ['an infinite temperature', { temperature: Infinity }, 'temperature'],
    ['topP 0', { topP: 0 }, 'topP'],
    ['topP above 1', { topP: 1.5 }, 'topP'],
    ['topK below 0', { topK: -1 }, 'topK'],
    ['minP above 1', { minP: 2 }, 'minP'],
    ['a repetition penalty of 0', { repetitionPenalty: 0 }, 'repetitionPenalty'],
    ['an endless frequency penalty', { frequencyPenalty: -Infinity }, 'frequencyPenalty'],
    ['a NaN presence penalty', { presencePenalty: Number.NaN }, 'presencePenalty'],
    ['a seed beyond 64 bits', { seed: 1n << 64n }, 'seed'],
    ['a seed that is a number', { seed: 5 as unknown as bigint }, 'seed'],
    ['an empty stop string', { stop: [new Uint8Array(0)] }, 'stop'],
    ['a bias for no token', { logitBiasIds: Uint32Array.of(97), logitBiasValues: Float32Array.of(1) }, 'logitBiasIds'],
    [
      'a bias that is NaN',
      { logitBiasIds: Uint32Array.of(1), logitBiasValues: Float32Array.of(NaN) },
      'logitBiasValues',
    ],
    ['a bias without value', { logitBiasIds: Uint32Array.of(1) }, 'logitBias'],
    ['21 log-probabilities', { logprobs: 21 }, 'logprobs'],
    ['half a log-probability', { logprobs: 0.5 }, 'logprobs'],
    ['ids of the wrong type', { promptIds: [1, 2] as unknown as Uint32Array }, 'promptIds'],
    ['text as stop', { stop: ['x'] as unknown as Uint8Array[] }, 'stop[0]'],
    ['a missing member', { ignoreEos: undefined as unknown as boolean }, 'ignoreEos'],
  ];
  it.each(cases)('%s is refused by name', async (_, changes, field) => {
    const engine = await openTiny();
    await expect(engine.generate(1, tinyRequest(changes))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(field) as string,
    });
    await expect(engine.generate(1, tinyRequest({ maxTokens: 1 }))).resolves.toMatchObject({ finishReason: 'length' });
  });

  it('takes any 64-bit seed', async () => {
    const engine = await openTiny();
    const drawn = async (seed: bigint) => (await engine.generate(1, tinyRequest({ seed, temperature: 1 }))).tokenIds;
    expect(await drawn(-1n)).toEqual(await drawn((1n << 64n) - 1n));
    expect(await drawn(-(1n << 63n))).toEqual(await drawn(1n << 63n));
    expect(await drawn(3n)).not.toEqual(await drawn(4n));
  });
});

it('what is generated does not depend on whether its prompt was scored: one sequence can score it for all', async () => {
  const engine = await openTiny({ slots: 8 });
  const random = seededRandom(11);
  for (let i = 0; i < 20; i++) {
    const request = tinyRequest({
      promptIds: randomPrompt(random, 1 + Math.floor(random() * 40)),
      maxTokens: 12,
      temperature: i % 2,
      seed: BigInt(i),
      logprobs: 3,
    });
    const [scored, plain] = await Promise.all([
      engine.generate(2 * i, { ...request, promptLogprobs: true }),
      engine.generate(2 * i + 1, { ...request, promptLogprobs: false }),
    ]);
    expect(scored.promptLogprobs).not.toBeNull();
    expect(plain).toEqual({ ...scored, promptLogprobs: null, promptTopIds: null, promptTopLogprobs: null });
  }
});
