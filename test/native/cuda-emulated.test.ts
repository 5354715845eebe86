import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type { Fp8Keep } from '../../src/domain/engine-choices.js';
import { planGpu } from '../../src/domain/gpu/plan-gpu.js';
import type { SequenceRequest } from '../../src/ports/engine.js';
import { ask, demo, emulatedLibrary, generateAll, openDemo, textOf, whyNoEmulation } from '../support/emulated-card.js';
import { whyNoGrammars } from '../support/grammar-vocabulary.js';

const noGrammars = await whyNoGrammars();
const noSignal = new AbortController().signal;

/** Sampled lines of every kind: shared beginnings, penalties, log-probabilities, stop strings. */
async function sampledLines(): Promise<SequenceRequest[]> {
  const questions = [
    'What is 27 plus 45?',
    'What is 27 plus 46?',
    'Spell the word river.',
    'Spell the word planet backwards.',
  ];
  const kinds: Partial<SequenceRequest>[] = [
    { topP: 0.9, logprobs: 3 },
    { topK: 20, repetitionPenalty: 1.2, promptLogprobs: true },
    { minP: 0.02, presencePenalty: 0.5, stop: ['e', '7'] },
    { frequencyPenalty: 0.4, logitBias: new Map([[31, 2.5]]), ignoreEos: true },
  ];
  return Promise.all(
    questions.flatMap((question, q) =>
      kinds.map((kind, k) =>
        ask(question, { temperature: 1.1, maxTokens: 6 + 3 * q, seed: BigInt(10 * q + k), ...kind }),
      ),
    ),
  );
}

describe.skipIf(whyNoEmulation !== null)(
  `an emulated card${whyNoEmulation === null ? '' : ` (${whyNoEmulation})`}`,
  () => {
    it('is what device auto takes', async () => {
      const { info } = await openDemo({ device: 'auto', dtype: 'fp8' });
      expect(info).toMatchObject({ device: 'cuda', kind: 'emulation sm_90', dtype: 'fp8', slots: 8, whyCpu: null });
      expect(info.kvCacheBytes).toBeGreaterThan(0);
    });

    it('is one of two', async () => {
      expect(await loadAddon().cudaCards(emulatedLibrary)).toHaveLength(2);
      // Nor does `auto` leave a model to the CPU that several cards were asked for.
      for (const device of ['cuda', 'auto'] as const)
        await expect(openDemo({ device, tensorParallel: 4 })).rejects.toMatchObject({
          code: 'unsupported_device',
          message: expect.stringContaining(
            '4 card(s) from number 0 on were asked for, but this process sees 2',
          ) as string,
        });
      const shared = (await openDemo({ tensorParallel: 2 })).info;
      expect(shared.kind).toBe('emulation sm_90 x 2');
    });

    it.each([
      ['bfloat16', 1],
      ['fp8', 1],
      ['bfloat16', 2],
    ] as const)('gives a line the same bytes alone and in a crowd: %s, %i ranks', async (dtype, tensorParallel) => {
      const lines = await sampledLines();
      const alone = await openDemo({ dtype, tensorParallel, slots: 1, prefillTokens: 16 });
      const expected = [];
      for (const line of lines) expected.push(await alone.generate(line, noSignal));
      const crowd = await openDemo({ dtype, tensorParallel, slots: 5 });
      expect(await generateAll(crowd, lines.toReversed())).toEqual(expected.toReversed());
      // Again, in slots and pages that held others, and beside beginnings that are there already.
      expect(await generateAll(crowd, lines)).toEqual(expected);
      expect(new Set(expected.map(textOf)).size).toBeGreaterThan(10);
    });

    it('ends before a stop string, and counts the token that was computed past it', async () => {
      const engine = await openDemo();
      const whole = await engine.generate(await ask('Spell the word river.', { ignoreEos: true }), noSignal);
      expect(textOf(whole)).toContain('r-i-v');
      expect(engine.totals().overrunTokens).toBe(0);
      const cut = await engine.generate(await ask('Spell the word river.', { stop: ['-v'] }), noSignal);
      expect(textOf(cut)).toBe(' r-i');
      expect(cut.finishReason).toBe('stop');
      await expect.poll(() => engine.totals().overrunTokens).toBe(1);
    });

    it.skipIf(noGrammars !== null)('holds an answer to a JSON schema', async () => {
      const schema = {
        type: 'object',
        properties: { word: { enum: ['river', 'planet'] }, n: { type: 'integer', maximum: 9, minimum: 0 } },
      };
      const grammar = {
        kind: 'json_schema',
        text: JSON.stringify({ ...schema, required: ['word', 'n'], additionalProperties: false }),
        leadingSpace: true,
      } as const;
      const changes = { grammar, maxTokens: 60, temperature: 1 };
      const lines = await Promise.all([1n, 2n, 3n].map((seed) => ask('Spell the word river.', { ...changes, seed })));
      const plain = await ask('What is 27 plus 45?');
      const engine = await openDemo();
      const [beside, ...results] = await generateAll(engine, [plain, ...lines]);
      for (const result of results)
        expect(JSON.parse(textOf(result))).toEqual({
          word: expect.stringMatching(/^(river|planet)$/) as string,
          n: expect.any(Number) as number,
        });
      expect(beside).toEqual(await engine.generate(plain, noSignal));
    });

    it('scores a prompt', async () => {
      const request = await ask('What is 27 plus 45?', { maxTokens: 4, logprobs: 2, promptLogprobs: true });
      const engine = await openDemo();
      const { promptLogprobs, logprobs, tokenIds } = await engine.generate(request, noSignal);
      expect(promptLogprobs?.chosen).toHaveLength(request.promptIds.length);
      expect(promptLogprobs?.chosen[0]).toBeNaN();
      // The same texts as prompts: what was told of the tokens as they were drawn is told of them as they are read.
      const promptIds = Uint32Array.of(...request.promptIds, ...tokenIds);
      const read = await engine.generate({ ...request, promptIds, maxTokens: 0 }, noSignal);
      expect(read.promptLogprobs?.chosen.subarray(request.promptIds.length)).toEqual(logprobs?.chosen);
      expect(read.promptLogprobs?.topIds.subarray(2 * request.promptIds.length)).toEqual(logprobs?.topIds);
    });

    it('ends what is cancelled, and nothing else', async () => {
      const engine = await openDemo({ slots: 3 });
      const long = await ask('Spell the word planet backwards.', { maxTokens: 60, ignoreEos: true });
      const expected = await engine.generate(long, noSignal);
      const cancel = new AbortController();
      let told = 0;
      const cancelled = engine.generate(long, cancel.signal, () => {
        if (++told === 3) cancel.abort(new Error('enough'));
      });
      const others = generateAll(engine, [long, long, long, long]);
      await expect(cancelled).rejects.toThrow('enough');
      for (const other of await others) expect(other).toEqual(expected);
    });

    it('holds many engines, at once and one after the other', async () => {
      const line = await ask('What is 27 plus 45?', { logprobs: 0 });
      const first = await openDemo();
      const expected = await first.generate(line, noSignal);
      expect(textOf(expected)).toContain('72');
      const second = await openDemo();
      expect(await Promise.all([first.generate(line, noSignal), second.generate(line, noSignal)])).toEqual([
        expected,
        expected,
      ]);
      const live = first.generate({ ...line, maxTokens: 400, ignoreEos: true }, noSignal);
      await Promise.all([expect(live).rejects.toMatchObject({ code: 'engine_closed' }), first.close()]);
      expect(await second.generate(line, noSignal)).toEqual(expected);
      expect(await (await openDemo()).generate(line, noSignal)).toEqual(expected);
    });

    it('says that some products stay bfloat16: other answers, another fingerprint', async () => {
      const open = (fp8Keep: readonly Fp8Keep[]) => openDemo({ dtype: 'fp8', fp8Keep });
      const [none, dense, down, both] = [
        await open([]),
        await open(['dense']),
        await open(['down']),
        await open(['dense', 'down']),
      ];
      expect(none.info.numerics).not.toContain('bf16');
      expect(dense.info.numerics).toMatch(/[^+]\+dense-bf16$/);
      expect(down.info.numerics).toMatch(/[^+]\+down-bf16$/);
      expect(both.info.numerics).toMatch(/\+dense-bf16\+down-bf16$/);
      expect(new Set([none, dense, down, both].map(({ fingerprint }) => fingerprint)).size).toBe(4);
      const line = await ask('What is 27 plus 45?', { logprobs: 0 });
      const answers = await Promise.all([none, dense, down, both].map((engine) => engine.generate(line, noSignal)));
      expect(new Set(answers.map(({ logprobs }) => String(logprobs?.chosen))).size).toBe(4);
    });

    it.each([
      ['bfloat16', 1, []],
      ['fp8', 1, []],
      ['fp8', 1, ['dense', 'down']],
      ['fp8', 1, ['down']],
      ['int8', 1, []],
      ['bfloat16', 2, []],
    ] as const)('holds what was planned for it: %s, %i ranks, %j kept', async (weights, tensorParallel, fp8Keep) => {
      const [card] = await loadAddon().cudaCards(emulatedLibrary);
      const { info } = await openDemo({ dtype: weights, tensorParallel, fp8Keep, slots: 5, prefillTokens: 128 });
      const form = { weights, tensorParallel, fp8Keep };
      const plan = planGpu(demo.folder.shape, card?.freeBytes ?? 0, {
        ...form,
        tokensPerSequence: 1,
        slots: 5,
        prefillTokens: 128,
      });
      expect(info.kvCacheBytes).toBe(tensorParallel * (plan === null ? 0 : plan.kvPages * plan.pageBytes));
      // The plan leaves out what aligns vectors and scales.
      expect(info.weightBytes / (tensorParallel * (plan?.weightBytes ?? 0))).toBeCloseTo(1, 2);
    });
  },
);
