import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { runLine } from '../../../../src/app/line/run-line.js';
import { decodePart, encodePart, encodePartInTurns, recordsOf } from '../../../../src/app/part.js';
import { mergeParts } from '../../../../src/app/results/merge-parts.js';
import { validateInput } from '../../../../src/app/validate-input.js';
import type { WorkPlan } from '../../../../src/contract/stored-objects.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { ByteTokenizer } from '../../../support/byte-tokenizer.js';
import { CountingIds } from '../../../support/counting-ids.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { FakeGrammars } from '../../../support/fake-grammars.js';
import { testModel } from '../../../support/fake-world.js';
import { ScriptedEngine } from '../../../support/scripted-engine.js';

const mib = 1024 * 1024;
const waste = { useful_tokens: 0, padded_prefill_tokens: 0, idle_slot_steps: 0, overrun_tokens: 0 };
const summary = { shard: 0, verdict: null, shapes: waste, worker: 'w', startedMs: 0, finishedMs: 1 };
const record = (json: string, ok = true) => ({ ok, json, inputTokens: 1, outputTokens: 1 });

/** A clock by which a pause is due after each piece, and that counts the pauses. */
function turning() {
  let now = 0;
  const clock = {
    turns: 0,
    monotonic: () => (now += bounds.turnMs),
    turn: () => {
      clock.turns++;
      return Promise.resolve();
    },
  };
  return clock;
}

describe('a part of large answers', () => {
  // Of two code units each, and off the edges of pieces by one.
  const json = `"${'😀'.repeat(2.5 * mib)}"`;

  test('is encoded a megabyte at a time, with the same bytes', async () => {
    const clock = turning();
    const records = [record('"a"'), record(json), record('"b"', false)];
    const { bytes, header } = await encodePartInTurns(clock, summary, records);
    expect(clock.turns).toBeGreaterThanOrEqual(6);
    const lines = records.map((each) => `["${each.ok ? 'o' : 'e'}",${each.json}]\n`);
    expect(Buffer.from(`${JSON.stringify(header)}\n${lines.join('')}`).equals(bytes)).toBe(true);
    expect(Buffer.from(encodePart(summary, records).bytes).equals(bytes)).toBe(true);
  });

  test('is taken apart without copies', () => {
    const { bytes } = encodePart(summary, [record(json), record('"b"', false)]);
    const before = Buffer.from(bytes);
    const part = decodePart(bytes);
    expect(part.lines.map(({ bytes: line }) => line.buffer === bytes.buffer)).toEqual([true, true]);
    expect(recordsOf(part).map((each) => each.json === json || each.json === '"b"')).toEqual([true, true]);
    expect(before.equals(bytes)).toBe(true);
  });

  test('goes into the result files in pieces', async () => {
    const clock = turning();
    const records = [record(json), ...Array.from({ length: 300 }, (_, n) => record(`"${n}"`)), record('"b"', false)];
    const part = decodePart(encodePart(summary, records).bytes);
    const shard = { n: 0, count: records.length };
    const plan = { plannedMs: 0, shards: [shard] } as unknown as WorkPlan;
    const written: Record<'output' | 'errors', Uint8Array[]> = { output: [], errors: [] };
    const source = { load: () => Promise.resolve(part), bytesOf: () => 0 };
    await mergeParts(clock, plan, source, (kind, bytes) => {
      written[kind].push(bytes);
      return Promise.resolve();
    });
    expect(Math.max(...written.output.map(({ length }) => length))).toBeLessThanOrEqual(2 * bounds.fileChunkBytes);
    expect(written.output.length, 'small lines go together').toBeLessThan(15);
    expect(clock.turns).toBeGreaterThanOrEqual(10);
    const output = records.filter(({ ok }) => ok).map((each) => `${each.json}\n`);
    expect(Buffer.concat(written.output).equals(Buffer.from(output.join('')))).toBe(true);
    expect(Buffer.concat(written.errors).toString()).toBe('"b"\n');
  });
});

describe('a line', () => {
  const rules = {
    model: { ...testModel, contextTokens: 2048 },
    tokenizer: new ByteTokenizer(),
    grammars: new FakeGrammars(),
  };
  const run = (engine: ScriptedEngine, fields: object) => {
    const line = { custom_id: 'a', method: 'POST', url: '/v1/completions', body: { model: 'falcon', ...fields } };
    const runner = { ...rules, engine, clock: new FakeClock(), ids: new CountingIds() };
    return runLine(runner, Buffer.from(JSON.stringify(line)), null, new AbortController().signal);
  };

  test('whose answer would be too large fails alone, whatever makes it so large', async () => {
    const engine = new ScriptedEngine(() => 'a');
    const prompt = Array.from({ length: 128 }, () => 'x'.repeat(1900));
    const asked = [
      ['echo', { prompt: prompt.map(() => Array(1900).fill(1)), n: 16, echo: true, max_tokens: 1 }],
      ['return_token_ids', { prompt, n: 16, return_token_ids: true, max_tokens: 1 }],
      ['max_tokens', { prompt: prompt.map(() => 'x'), n: 16, max_tokens: 2000 }],
      ['logprobs', { prompt, n: 16, echo: true, logprobs: 5, max_tokens: 0 }],
    ] as const;
    for (const [param, fields] of asked) {
      const result = await run(engine, fields);
      expect(result.ok).toBe(false);
      expect(JSON.parse(result.json)).toMatchObject({
        response: { status_code: 400, body: { error: { code: 'invalid_value', param } } },
      });
    }
    expect(engine.requests).toEqual([]);
  });

  test('whose answer becomes larger than was estimated fails alone, and no more of it is made', async () => {
    const engine = new ScriptedEngine(() => 'a');
    const generate = engine.generate.bind(engine);
    engine.generate = async (...given) => ({ ...(await generate(...given)), textBytes: Buffer.alloc(2 * mib, 'a') });
    expect((await run(engine, { prompt: 'x', n: 7 })).ok).toBe(true);
    const { ok, json } = await run(engine, { prompt: 'x', n: 16 });
    expect(ok).toBe(false);
    expect(json).toMatch(/The answer has more than \d+ bytes.*16777216 are allowed/);
  });

  test('counts each copy of its prompts as tokens, and by its answer where shards are cut', async () => {
    const body = { model: 'falcon', prompt: 'x'.repeat(1000), n: 16, echo: true, logprobs: 5, max_tokens: 0 };
    const line = (n: number) =>
      `${JSON.stringify({ custom_id: `${n}`, method: 'POST', url: '/v1/completions', body })}\n`;
    const source = Readable.from([Buffer.from([0, 1, 2, 3, 4].map(line).join(''))]);
    // 4.6 MB of answer each; by their tokens four lines would go together.
    const plan = await validateInput(source, { ...rules, endpoint: null, mode: 'strict', clock: new FakeClock() });
    expect(plan.tokens).toBe(5 * 16 * 1000);
    expect(plan.shards.map(({ count }) => count)).toEqual([3, 2]);
    expect(Object.keys(plan.shards[0] ?? {}), 'nothing new is stored').not.toContain('answerBytes');
  });
});
