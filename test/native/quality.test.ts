import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { compareScores, type TextScore } from '../../src/app/quality/compare-scores.js';
import { answerGreedily, readPrompts, scoreTexts } from '../../src/app/quality/score-texts.js';
import { measuredFormat } from '../../src/compose/measured-format.js';
import { openEngine } from '../../src/compose/open-engine.js';
import { tempFolder } from '../support/temp-folder.js';
import { runQualityCheck } from '../../src/cli/commands/selfcheck-quality.js';
import { layersAsked } from '../../src/cli/selfcheck-command.js';
import { openModel } from '../../src/compose/open-model.js';
import type { Dtype } from '../../src/domain/engine-choices.js';

const file = (lines: readonly object[]) =>
  (async function* () {
    yield Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  })();

const line = (id: string, prompt: string) => ({
  custom_id: id,
  method: 'POST',
  url: '/v1/completions',
  body: { model: 'eyrie-demo', prompt, max_tokens: 16 },
});

const lines = [
  line('a', '<human>: 12 + 30 =\n<bot>:'),
  line('b', '<human>: Is this film good? A wonderful film.\n<bot>:'),
];

describe('what other weights do to the answers of the demo model', async () => {
  const model = await openModel('models/demo', null);
  const rules = { model: model.served, tokenizer: model.tokenizer, grammars: model.grammars };
  const prompts = await readPrompts(file(lines), rules, 100);

  const settings = { device: 'cpu', isa: 'auto', threads: 2, slots: 4, prefillTokens: 64 } as const;

  async function withEngine<T>(dtype: Dtype, use: (engine: Awaited<ReturnType<typeof openEngine>>) => Promise<T>) {
    const engine = await openEngine(model, { ...settings, dtype });
    try {
      return await use(engine);
    } finally {
      await engine.close();
    }
  }

  const { texts, reference } = await withEngine('bfloat16', async (engine) => {
    const answered = await answerGreedily(engine, prompts);
    return { texts: answered, reference: await scoreTexts(engine, answered) };
  });

  test('texts are prompt and answer', () => {
    expect(texts).toHaveLength(2);
    for (const [place, text] of texts.entries()) {
      const { ids } = prompts[place] ?? { ids: new Uint32Array() };
      expect(text.slice(0, ids.length)).toEqual(ids);
      expect(text.length).toBeGreaterThan(ids.length);
    }
  });

  test('the same weights score the same', async () => {
    const again = await withEngine('bfloat16', (engine) => scoreTexts(engine, texts));
    expect(compareScores(reference, again)).toMatchObject({ meanDifference: 0, topAgreement: 1 });
  });

  test('8-bit weights score nearly the same, and not exactly', async () => {
    const result = compareScores(reference, await withEngine('int8', (engine) => scoreTexts(engine, texts)));
    expect(result.meanDifference).toBeGreaterThan(0);
    expect(result.meanDifference).toBeLessThan(0.05);
    expect(result.topAgreement).toBeGreaterThan(0.9);
  });

  /** NaN, which the first token of a text has, equals itself here. */
  const bitsOf = ({ chosen, best }: TextScore) => ({ chosen: new Uint32Array(chosen.slice().buffer), best });

  test.each(['bfloat16', 'int8', 'float32'] as const)(
    'some layers at a time score the same bits as all of them: %s',
    async (dtype) => {
      const whole = (await withEngine(dtype, (engine) => scoreTexts(engine, texts))).map(bitsOf);
      const { layers } = model.folder.shape;
      for (const asked of [1, layers - 1, null]) {
        const scores = await measuredFormat(model, { ...settings, dtype }).scoreByLayers(texts, asked);
        expect(scores.layersAtOnce).toBe(asked ?? layers);
        expect(scores.texts.map(bitsOf)).toEqual(whole);
      }
    },
  );

  test('the command says how it measured, and measures the same by layers', async () => {
    const batch = path.join(await tempFolder(), 'prompts.jsonl');
    await writeFile(batch, lines.map((request) => `${JSON.stringify(request)}\n`).join(''));
    const written: string[] = [];
    const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    onTestFinished(() => stdout.mockRestore());
    const formats = {
      reference: measuredFormat(model, { ...settings, dtype: 'bfloat16' }),
      candidate: measuredFormat(model, { ...settings, dtype: 'int8' }),
    };
    const names = { model: 'demo', reference: 'bfloat16', candidate: 'int8' };
    const ask = async (layers: number | null, json: boolean): Promise<string> => {
      written.length = 0;
      await runQualityCheck({ ...names, file: batch, linesMax: 9, layers, json }, rules, formats);
      return written.join('');
    };
    const whole = JSON.parse(await ask(null, true)) as object;
    expect(whole).toMatchObject({
      texts: 2,
      answers_from: 'reference',
      layers_at_once: { reference: null, candidate: null },
    });
    const byLayers: unknown = JSON.parse(await ask(2, true));
    expect(byLayers).toEqual({ ...whole, layers_at_once: { reference: 2, candidate: 2 } });
    expect(await ask(2, false)).toContain('int8 was computed with 2 layers at a time.');
    expect(await ask(null, false)).not.toContain('at a time');
  });

  test('what cannot be scored is refused', async () => {
    const format = measuredFormat(model, { ...settings, dtype: 'bfloat16' });
    const { layers, vocabSize, contextTokens } = model.folder.shape;
    await expect(format.scoreByLayers(texts, layers + 1)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(`layers is ${layers + 1}, must be from 1 to ${layers}`) as string,
    });
    await expect(format.scoreByLayers([Uint32Array.of(vocabSize)], 1)).rejects.toThrow(/below the vocabulary size/);
    await expect(format.scoreByLayers([new Uint32Array(contextTokens + 1)], 1)).rejects.toThrow(/must have from 1 to/);
    expect(() => layersAsked(layers + 1, 'demo', layers)).toThrow(
      `--layers is ${layers + 1}, must be from 1 to ${layers}`,
    );
  });

  test('a line that is wrong is named', async () => {
    await expect(readPrompts(file([lines[0] ?? {}, { custom_id: 'x' }]), rules, 100)).rejects.toThrow(/^Line 2: /);
    await expect(readPrompts(file([]), rules, 100)).rejects.toThrow(/holds no requests/);
  });
});
