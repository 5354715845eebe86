import { describe, expect, test } from 'vitest';
import { runLine } from '../../../src/app/line/run-line.js';
import { validateInput } from '../../../src/app/validate-input.js';
import { bounds } from '../../../src/domain/bounds.js';
import { grammarMemory } from '../../../src/domain/grammar.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { CountingIds } from '../../support/counting-ids.js';
import { expectLinear } from '../../support/cpu-cost.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { testModel } from '../../support/fake-world.js';
import { hardestShapes, shapes, type Shape } from '../../support/json-shapes.js';
import { ScriptedEngine } from '../../support/scripted-engine.js';

const isLong = process.env['EYRIE_TEST_LONG'] === '1';

const rules = { model: testModel, tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() };

/** Bodies with one member that holds anything. */
const bodies = [
  ['/v1/chat/completions', '{"model":"falcon","messages":', '}'],
  ['/v1/chat/completions', '{"model":"falcon","messages":[{"role":"user","content":"x"}],"metadata":', '}'],
  ['/v1/completions', '{"model":"falcon","prompt":', '}'],
  ['/v1/completions', '{"model":"falcon","prompt":"x","logit_bias":', '}'],
  ['/v1/completions', '{"model":"falcon","prompt":"x","eyrie":{"truncate":"head"},"user":', '}'],
] as const;

const names = isLong ? Object.keys(shapes) : hardestShapes;

function lineOf(shape: Shape, [url, head, tail]: (typeof bodies)[number], size: number, id: string): Buffer {
  return Buffer.from(`{"custom_id":"${id}","method":"POST","url":"${url}","body":${head}${shape(size)}${tail}}`);
}

describe('no line costs more than 60 ns of CPU a byte and 5 ms', () => {
  test.each(bodies.map((body) => ({ body, head: body[1] })))('at the worker: $head…', async ({ body }) => {
    const engine = new ScriptedEngine(() => 'a');
    const runner = { ...rules, engine, clock: new FakeClock(), ids: new CountingIds() };
    for (const name of names)
      for (const size of [60_000, 1_000_000])
        await expectLinear(
          `${name} in ${body[1]}`,
          () => {
            const line = lineOf(shapes[name] as Shape, body, size, 'a');
            return { bytes: line.length, line };
          },
          ({ line }) => runLine(runner, line, null, new AbortController().signal),
        );
  });

  test.each(bodies.map((body) => ({ body, head: body[1] })))(
    'at the plan, some lines of 1 MB: $head…',
    async ({ body }) => {
      const lines = 4;
      for (const name of isLong ? names : ['empty objects', 'a new member each', 'texts and numbers'])
        for (const mode of ['strict', 'lenient'] as const)
          await expectLinear(
            `${name} in ${body[1]}, ${mode}`,
            () => {
              const file = Array.from({ length: lines }, (_, n) =>
                lineOf(shapes[name] as Shape, body, 1_000_000, `${n}`),
              );
              return { bytes: file.reduce((sum, { length }) => sum + length, 0), file };
            },
            async ({ file }) => {
              const source = (async function* () {
                for (const line of file) yield Buffer.concat([line, Buffer.from('\n')]);
              })();
              await validateInput(source, { ...rules, endpoint: null, mode, clock: new FakeClock() }).catch(
                () => undefined,
              );
            },
          );
    },
  );
});

/** Real time for the checks, and a count of the turns that others had. */
class TurnClock extends FakeClock {
  turns = 0;

  override monotonic(): number {
    return performance.now();
  }

  override turn(): Promise<void> {
    this.turns++;
    return super.turn();
  }
}

test.each(['strict', 'lenient'] as const)(
  'others get their turn while a %s file of bad lines is checked',
  async (mode) => {
    const clock = new TurnClock();
    const line = Buffer.from(
      `{"custom_id":"a","method":"POST","url":"/v1/completions","body":{"model":"falcon","prompt":[${'1,'.repeat(400_000)}"x"]}}\n`,
    );
    const source = (async function* () {
      for (let n = 0; n < 20; n++) yield line;
    })();
    await validateInput(source, { ...rules, endpoint: null, mode, clock }).catch(() => undefined);
    expect(clock.turns).toBeGreaterThan(5);
  },
);

test('a file of blank lines costs no more than its bytes', async () => {
  const content = Buffer.from('\n'.repeat(1_000_000) + ' \r\n'.repeat(300_000));
  await expectLinear(
    'blank lines',
    () => ({ bytes: content.length }),
    async () => {
      const source = (async function* () {
        yield content;
      })();
      await validateInput(source, { ...rules, endpoint: null, mode: 'strict', clock: new FakeClock() }).catch(
        () => undefined,
      );
    },
  );
});

test('a shard holds no more bytes than a worker may keep, also of lines that take no tokens', async () => {
  const body = `{"model":"falcon","prompt":["${'x'.repeat(500_000)}",1]}`;
  const source = (async function* () {
    for (let n = 0; n < 40; n++)
      yield Buffer.from(`{"custom_id":"${n}","method":"POST","url":"/v1/completions","body":${body}}\n`);
  })();
  const { shards } = await validateInput(source, { ...rules, endpoint: null, mode: 'strict', clock: new FakeClock() });
  expect(shards.length).toBeGreaterThan(2);
  for (const { byteStart, byteEnd } of shards) expect(byteEnd - byteStart).toBeLessThanOrEqual(bounds.shardBytesMax);
});

test('a shard holds no more memory of different grammars than a worker may keep', async () => {
  const source = (async function* () {
    for (let n = 0; n < 60; n++) {
      const body = { model: 'falcon', prompt: 'x', guided_choice: [`${n}`, 'x'.repeat(900)] };
      yield Buffer.from(`${JSON.stringify({ custom_id: `${n}`, method: 'POST', url: '/v1/completions', body })}\n`);
    }
  })();
  const { shards } = await validateInput(source, { ...rules, endpoint: null, mode: 'strict', clock: new FakeClock() });
  const most = bounds.shardGrammarBytesMax / grammarMemory({ text: 'x'.repeat(900) });
  expect(shards.map(({ count }) => count)).toEqual([Math.floor(most), 60 - Math.floor(most)]);
});
