import { describe, expect, test } from 'vitest';
import { measureQuality, type Format } from '../../../src/app/quality/measure-quality.js';
import { EyrieError } from '../../../src/domain/errors.js';
import type { Engine, SequenceRequest, SequenceResult } from '../../../src/ports/engine.js';

const prompts = [
  { ids: Uint32Array.of(1, 2), maxTokens: 1 },
  { ids: Uint32Array.of(3), maxTokens: 1 },
];

const scoreOf = (text: Uint32Array, logprob: number) => ({
  chosen: Float32Array.from(text, (_, place) => (place === 0 ? NaN : logprob)),
  best: Uint32Array.from(text, (_, place) => place),
});

/** A format whose answers are its token and whose scores are its log-probability; it notes what is asked of it. */
class FakeFormat implements Format {
  readonly name: string;
  readonly token: number;
  readonly logprob: number;
  readonly opening: 'fits' | EyrieError;
  readonly calls: string[];
  readonly scored: (readonly Uint32Array[])[] = [];
  opened = 0;

  constructor(name: string, token: number, logprob: number, opening: 'fits' | EyrieError, calls: string[]) {
    this.name = name;
    this.token = token;
    this.logprob = logprob;
    this.opening = opening;
    this.calls = calls;
  }

  async open(): Promise<Engine> {
    this.calls.push(`open ${this.name}`);
    if (this.opening !== 'fits') throw this.opening;
    this.opened++;
    const generate = async ({ promptIds, promptLogprobs }: SequenceRequest): Promise<SequenceResult> => {
      const { chosen, best } = scoreOf(promptIds, this.logprob);
      const scores = { chosen, topIds: best, topLogprobs: new Float32Array(chosen.length), k: 1 };
      return {
        tokenIds: promptLogprobs ? new Uint32Array() : Uint32Array.of(this.token),
        textBytes: new Uint8Array(),
        finishReason: 'length',
        logprobs: null,
        promptLogprobs: promptLogprobs ? scores : null,
      };
    };
    const close = async (): Promise<void> => {
      this.opened--;
    };
    return { fingerprint: '', generate, close, totals: () => ({}) as never };
  }

  async scoreByLayers(texts: readonly Uint32Array[], layers: number | null) {
    this.calls.push(`layers of ${this.name}: ${layers}`);
    this.scored.push(texts);
    return { texts: texts.map((text) => scoreOf(text, this.logprob)), layersAtOnce: layers ?? 7 };
  }
}

const tooLarge = new EyrieError('out_of_memory', 'too large');

function formats(reference: 'fits' | EyrieError, candidate: 'fits' | EyrieError) {
  const calls: string[] = [];
  return {
    calls,
    reference: new FakeFormat('reference', 8, -1, reference, calls),
    candidate: new FakeFormat('candidate', 9, -1.5, candidate, calls),
  };
}

describe('which engine does what', () => {
  test('both fit: each is opened once', async () => {
    const all = formats('fits', 'fits');
    const result = await measureQuality(prompts, all, null);
    expect(result).toMatchObject({
      texts: 2,
      answersFrom: 'reference',
      layersAtOnce: { reference: null, candidate: null },
      comparison: { tokens: 3, meanDifference: 0.5, topAgreement: 1 },
    });
    expect(all.calls).toEqual(['open reference', 'open candidate']);
    expect([all.reference.opened, all.candidate.opened]).toEqual([0, 0]);
  });

  test('the reference does not fit: the candidate answers, and the reference goes by layers', async () => {
    const all = formats(tooLarge, 'fits');
    const result = await measureQuality(prompts, all, null);
    expect(result).toMatchObject({ answersFrom: 'candidate', layersAtOnce: { reference: 7, candidate: null } });
    expect(result.comparison.meanDifference).toBe(0.5);
    expect(all.calls).toEqual(['open reference', 'open candidate', 'layers of reference: null']);
    expect(all.reference.scored[0]?.map((text) => [...text])).toEqual([
      [1, 2, 9],
      [3, 9],
    ]);
  });

  test('the candidate does not fit', async () => {
    const all = formats('fits', tooLarge);
    const result = await measureQuality(prompts, all, null);
    expect(result).toMatchObject({ answersFrom: 'reference', layersAtOnce: { reference: null, candidate: 7 } });
    expect(all.calls).toEqual(['open reference', 'open candidate', 'layers of candidate: null']);
    expect(all.candidate.scored[0]?.map((text) => [...text])).toEqual([
      [1, 2, 8],
      [3, 8],
    ]);
  });

  test('neither fits: the texts are the prompts', async () => {
    const all = formats(tooLarge, tooLarge);
    const result = await measureQuality(prompts, all, null);
    expect(result).toMatchObject({
      answersFrom: null,
      layersAtOnce: { reference: 7, candidate: 7 },
      comparison: { tokens: 1 },
    });
    expect(all.reference.scored).toEqual([prompts.map(({ ids }) => ids)]);
    expect(all.calls).toHaveLength(4);
  });

  test('a number of layers: both go by layers, the reference answers', async () => {
    const all = formats('fits', 'fits');
    const result = await measureQuality(prompts, all, 3);
    expect(result).toMatchObject({ answersFrom: 'reference', layersAtOnce: { reference: 3, candidate: 3 } });
    expect(all.calls).toEqual(['open reference', 'layers of reference: 3', 'layers of candidate: 3']);
  });

  test('no other error is taken for want of memory', async () => {
    const broken = new EyrieError('model_invalid', 'broken');
    await expect(measureQuality(prompts, formats(broken, 'fits'), null)).rejects.toBe(broken);
    await expect(measureQuality(prompts, formats('fits', broken), null)).rejects.toBe(broken);
  });

  test('texts of one token have no score', async () => {
    const single = [{ ids: Uint32Array.of(1), maxTokens: 1 }];
    await expect(measureQuality(single, formats(tooLarge, tooLarge), null)).rejects.toThrow(/No token can be scored/);
  });
});
