import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { validateInput } from '../../../src/app/validate-input.js';
import type { Tokenizer } from '../../../src/ports/tokenizer.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { FakeClock } from '../../support/fake-clock.js';
import { testModel } from '../../support/fake-world.js';

/** Counts what is with it at one moment: it answers only after everybody else had a turn. */
class SlowTokenizer extends ByteTokenizer implements Tokenizer {
  /** Long texts are tokenized as a whole. */
  override readonly tokenBytesMax = 1000;
  #texts = 0;
  #characters = 0;
  textsMost = 0;
  charactersMost = 0;

  override async encode(text: string): Promise<Uint32Array> {
    this.textsMost = Math.max(this.textsMost, ++this.#texts);
    this.charactersMost = Math.max(this.charactersMost, (this.#characters += text.length));
    await new Promise((resolve) => setImmediate(resolve));
    this.#texts--;
    this.#characters -= text.length;
    return super.encode(text.slice(0, 10));
  }
}

async function validated(lines: number, promptChars: number): Promise<SlowTokenizer> {
  const tokenizer = new SlowTokenizer();
  const source = (async function* () {
    for (let n = 0; n < lines; n++) {
      const body = { model: testModel.id, prompt: 'x'.repeat(promptChars), max_tokens: 1 };
      yield Buffer.from(`${JSON.stringify({ custom_id: `n${n}`, method: 'POST', url: '/v1/completions', body })}\n`);
      await Promise.resolve();
    }
  })();
  const rules = {
    endpoint: null,
    mode: 'strict',
    model: testModel,
    tokenizer,
    grammars: new FakeGrammars(),
    clock: new FakeClock(),
  } as const;
  expect((await validateInput(source, rules)).lines).toBe(lines);
  return tokenizer;
}

test('short lines are tokenized side by side', async () => {
  expect((await validated(1000, 20)).textsMost).toBe(256);
});

test('of long lines no more are in memory at once than fill 256 KiB, and one', async () => {
  const { charactersMost } = await validated(40, 100_000);
  expect(charactersMost).toBeGreaterThan(100_000);
  expect(charactersMost).toBeLessThanOrEqual(256 * 1024 + 100_000);
});

test('a file that would be cut into more shards than a batch may have is refused, and names the bound', async () => {
  const lines = bounds.shardsPerBatchMax + 1;
  const body = { model: testModel.id, prompt: Array.from({ length: 10 }, () => 'x'), max_tokens: 240, n: 16 };
  const source = (async function* () {
    for (let n = 0; n < lines; n++)
      yield Buffer.from(`${JSON.stringify({ custom_id: `n${n}`, method: 'POST', url: '/v1/completions', body })}\n`);
    await Promise.resolve();
  })();
  const rules = { endpoint: null, mode: 'strict', model: testModel, grammars: new FakeGrammars() } as const;
  await expect(
    validateInput(source, { ...rules, tokenizer: new ByteTokenizer(), clock: new FakeClock() }),
  ).rejects.toMatchObject({
    errors: [
      { code: 'too_many_tasks', message: expect.stringContaining(`more than ${bounds.shardsPerBatchMax}`) as string },
    ],
  });
});
