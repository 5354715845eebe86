import { describe, expect, test } from 'vitest';
import { compareScores } from '../../src/app/quality/compare-scores.js';
import { answerGreedily, readPrompts, scoreTexts } from '../../src/app/quality/score-texts.js';
import { openEngine } from '../../src/compose/open-engine.js';
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

  async function withEngine<T>(dtype: Dtype, use: (engine: Awaited<ReturnType<typeof openEngine>>) => Promise<T>) {
    const engine = await openEngine(model, {
      dtype,
      device: 'cpu',
      isa: 'auto',
      threads: 2,
      slots: 4,
      prefillTokens: 64,
    });
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

  test('a line that is wrong is named', async () => {
    await expect(readPrompts(file([lines[0] ?? {}, { custom_id: 'x' }]), rules, 100)).rejects.toThrow(/^Line 2: /);
    await expect(readPrompts(file([]), rules, 100)).rejects.toThrow(/holds no requests/);
  });
});
