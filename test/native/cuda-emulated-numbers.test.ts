import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock/system-clock.js';
import { UlidIds } from '../../src/adapters/ulid-ids/ulid-ids.js';
import { compareScores, type TextScore } from '../../src/app/quality/compare-scores.js';
import { greedyRequest } from '../../src/app/line/greedy-request.js';
import { answerGreedily, readPrompts, scoreTexts } from '../../src/app/quality/score-texts.js';
import { runOffline } from '../../src/app/run-offline.js';
import { matchAnswers } from '../../src/cli/demo/answer-table.js';
import { measuredFormat } from '../../src/compose/measured-format.js';
import type { EngineSettings } from '../../src/compose/open-engine.js';
import type { SequenceRequest } from '../../src/ports/engine.js';
import { demo, demoSettings, generateAll, openDemo, whyNoEmulation } from '../support/emulated-card.js';

const files = ['models/demo/requests-completions.jsonl', 'models/demo/requests-chat.jsonl'];

/** How much better the CPU's token must be than its second best (natural logarithm) for the card's to be the same. */
const clearMargin = { bfloat16: 0.05, fp8: 0.3, int8: 0.3 };

const title = `the demo model on an emulated card${whyNoEmulation === null ? '' : ` (${whyNoEmulation})`}`;

describe.skipIf(whyNoEmulation !== null)(title, () => {
  const rules = { model: demo.served, tokenizer: demo.tokenizer, grammars: demo.grammars };

  async function demoPrompts(lines: number): Promise<readonly SequenceRequest[]> {
    const prompts = await Promise.all(files.map((file) => readPrompts(createReadStream(file), rules, lines)));
    return prompts.flat().map(({ ids, maxTokens }) => ({ ...greedyRequest, promptIds: ids, maxTokens }));
  }

  describe.each([
    ['bfloat16', 1, 1e-2],
    ['fp8', 1, 0.05],
    ['int8', 1, 0.02],
    ['bfloat16', 2, 1e-2],
    ['fp8', 2, 0.05],
  ] as const)('%s on %i cards, compared with bfloat16 on the CPU', (dtype, tensorParallel, meanMax) => {
    it('the greedy tokens are the same where the margin is clear', async () => {
      const requests = (await demoPrompts(8)).map((request) => ({ ...request, logprobs: 2 }));
      const expected = await generateAll(await openDemo({ device: 'cpu' }), requests);
      const got = await generateAll(await openDemo({ dtype, tensorParallel }), requests);
      let compared = 0;
      for (const [line, { tokenIds, logprobs }] of expected.entries()) {
        for (const [place, token] of tokenIds.entries()) {
          const [best = NaN, second = NaN] = logprobs?.topLogprobs.subarray(2 * place) ?? [];
          const seen = got[line]?.tokenIds[place];
          if (seen !== token) {
            // What follows answers another text.
            expect(best - second, `line ${line}, token ${place}`).toBeLessThan(clearMargin[dtype]);
            break;
          }
          compared++;
        }
      }
      expect(compared).toBeGreaterThan(0.9 * expected.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0));
    });

    it('the log-probabilities differ little', async () => {
      const cpu = await openDemo({ device: 'cpu' });
      const texts = await answerGreedily(
        cpu,
        (await demoPrompts(4)).map(({ promptIds, maxTokens }) => ({ ids: promptIds, maxTokens })),
      );
      const scores = await scoreTexts(await openDemo({ dtype, tensorParallel }), texts);
      const result = compareScores(await scoreTexts(cpu, texts), scores);
      expect(result.tokens).toBeGreaterThan(300);
      expect(result.meanDifference).toBeGreaterThan(0);
      expect(result.meanDifference).toBeLessThan(meanMax);
    });
  });

  it.each([
    ['bfloat16', 1],
    ['fp8', 1],
    ['int8', 1],
    ['fp8', 2],
  ] as const)(
    'some layers at a time score the same bits as all of them: %s on %i cards',
    async (dtype, tensorParallel) => {
      const texts = (await demoPrompts(3)).map(({ promptIds }) => promptIds);
      const bitsOf = ({ chosen, best }: TextScore) => ({ chosen: new Uint32Array(chosen.slice().buffer), best });
      const whole = await scoreTexts(await openDemo({ dtype, tensorParallel }), texts);
      const format = measuredFormat(demo, { ...demoSettings, device: 'auto', dtype, tensorParallel });
      const scores = await format.scoreByLayers(texts, 1);
      expect(scores.layersAtOnce).toBe(1);
      expect(scores.texts.map(bitsOf)).toEqual(whole.map(bitsOf));
    },
  );

  describe('answers to the files of the model', () => {
    const right = new Map<string, number>();

    async function rightAnswers(changes: Partial<EngineSettings>): Promise<number> {
      const engine = await openDemo({ slots: 16, ...changes });
      const runner = { engine, ...rules, clock: new SystemClock(), ids: new UlidIds() };
      const expected = JSON.parse(await readFile('models/demo/expected.json', 'utf8')) as Record<string, string>;
      let count = 0;
      for (const file of files) {
        const records: string[] = [];
        for await (const { json } of runOffline(runner, createReadStream(file), new AbortController().signal))
          records.push(json);
        const lines = await readFile(file, 'utf8');
        const ids = lines
          .split('\n')
          .filter(Boolean)
          .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
        const answers = matchAnswers(lines, records.join('\n'));
        expect(answers.filter(({ failed }) => failed)).toEqual([]);
        count += answers.filter(({ answer }, place) => answer === expected[ids[place] ?? '']).length;
      }
      return count;
    }

    it.each(['bfloat16', 'fp8', 'int8'] as const)(
      'are as often right in %s as on the CPU, but for one in fifty',
      async (dtype) => {
        const onCpu = right.get('cpu') ?? (await rightAnswers({ device: 'cpu' }));
        right.set('cpu', onCpu);
        const onCard = await rightAnswers({ dtype });
        // 64 lines: one more or less.
        expect(onCpu).toBeGreaterThanOrEqual(60);
        expect(Math.abs(onCard - onCpu) / 64).toBeLessThan(0.02);
      },
    );
  });
});
