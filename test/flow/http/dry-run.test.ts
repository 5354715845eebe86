import { toFile, type OpenAI } from 'openai';
import { describe, expect, test } from 'vitest';
import { completionWindows } from '../../../src/domain/completion-window.js';
import { dryRunObject, type DryRunObject } from '../../../src/contract/dry-run.js';
import { bounds } from '../../../src/domain/bounds.js';
import type { Grammar } from '../../../src/domain/grammar.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { eventually } from '../../support/eventually.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { keyB } from './fake-world.js';
import { listening, type Listening } from './listening.js';

/** Compiles nothing until it is opened. */
class GatedGrammars extends FakeGrammars {
  asked = 0;
  open = (): void => undefined;
  readonly #opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  override async check(grammar: Grammar): Promise<void> {
    this.asked++;
    await this.#opened;
    await super.check(grammar);
  }
}

const language = { tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() };
const body = (change: object = {}) => ({ model: 'falcon', prompt: 'x'.repeat(10), max_tokens: 50, ...change });
const line = (id: string, change: object = {}) => ({ custom_id: id, body: body(change) });
const lines = (count: number) => Array.from({ length: count }, (_, n) => line(`l-${n}`));
const report = { tokensPerSecond: 100, slots: 8, prefillTokens: 64 };

async function dryRun({ client }: Listening, request: object, eyrie: object = {}): Promise<DryRunObject> {
  const params = { ...request, eyrie: { dry_run: true, ...eyrie } } as unknown as OpenAI.BatchCreateParams;
  const { _request_id, ...answer } = (await client.batches.create(params)) as unknown as DryRunObject & {
    _request_id?: string;
  };
  return dryRunObject.parse(answer);
}

describe('a dry run', () => {
  test('says what the batch would be, and creates nothing', async () => {
    const prices = { currency: 'USD', models: { '*': { input: 10, output: 20 } }, discounts: {} };
    const server = await listening(language, { windows: completionWindows([]), prices });
    await server.world.progress.reportWorker('w', report);
    const before = server.world.store.keys();
    const answer = await dryRun(server, { requests: lines(128) });
    expect(answer).toMatchObject({
      endpoint: '/v1/completions',
      errors: null,
      request_counts: { total: 128, completed: 0, failed: 0 },
      eyrie: {
        valid: true,
        complete: true,
        lines: 128,
        bad_lines: 0,
        tokens: { input: 1280, output_most: 6400 },
        shards: 2,
        padding: { slots: 8, prefill_tokens: 64 },
        time: { tokens_per_second: 100, workers: 1, basis: 'measured', seconds: 76.8, queue_seconds: 0 },
        time_unknown: null,
        at_risk: false,
        cost: { currency: 'USD', estimated: 0.1408 },
      },
    });
    const now = server.world.clock.now() / 1000;
    expect(answer.eyrie.estimated_completion_at).toBe(Math.ceil(now + 76.8));
    expect(answer.eyrie.padding?.share).toBeLessThan(0.1);
    expect(server.world.store.keys()).toEqual(before);
    expect(await server.world.queue.backlog('plan')).toMatchObject({ waiting: 0 });
  });

  test('reads an uploaded file, and counts the work ahead of it', async () => {
    const server = await listening(language);
    await server.world.progress.reportWorker('w', report);
    await server.world.progress.noteWork('batch_other', { tokens: 1000, first: 0, last: 0 });
    const text = lines(3)
      .map((request) => JSON.stringify({ ...request, method: 'POST', url: '/v1/completions' }))
      .join('\n');
    const file = await server.client.files.create({
      file: await toFile(Buffer.from(text), 'a.jsonl'),
      purpose: 'batch',
    });
    const request = { input_file_id: file.id, endpoint: '/v1/completions', completion_window: '24h' };
    const answer = await dryRun(server, request);
    expect(answer).toMatchObject({ input_file_id: file.id, eyrie: { valid: true, lines: 3 } });
    expect(answer.eyrie.time).toMatchObject({ seconds: 1.8, queue_seconds: 10 });
    const deadline = Math.floor(server.world.clock.now() / 1000) + 5;
    expect((await dryRun(server, request, { deadline })).eyrie.at_risk).toBe(true);
    const missing = await dryRun(server, { ...request, input_file_id: 'file-unknown' });
    expect(missing.eyrie.valid).toBe(false);
    expect(missing.errors?.data).toMatchObject([{ code: 'invalid_request', param: 'file_id', line: null }]);
  });

  test('lists lines that are no requests and lines whose body is wrong, in their order', async () => {
    const server = await listening(language);
    const requests = [
      line('a', { temperature: 9 }),
      { custom_id: 'b' },
      line('c'),
      line('c'),
      line('d', { prompt: 'x'.repeat(3000) }),
    ];
    const strict = await dryRun(server, { requests, endpoint: '/v1/completions' });
    expect(strict.eyrie).toMatchObject({ valid: false, lines: 5, bad_lines: 4, shards: 0, time: null });
    expect(strict.eyrie.time_unknown).toContain('validation');
    expect(strict.eyrie.tokens, 'of the good line').toEqual({ input: 10, output_most: 50 });
    expect(strict.errors?.data.map(({ line: at, code }) => [at, code])).toEqual([
      [1, 'invalid_value'],
      [2, 'missing_required_parameter'],
      [4, 'duplicate_custom_id'],
      [5, 'context_length_exceeded'],
    ]);
    const lenient = await dryRun(server, { requests, endpoint: '/v1/completions' }, { validation: 'lenient' });
    expect(lenient.eyrie).toMatchObject({ valid: true, lines: 5, bad_lines: 4, shards: 1 });
    expect(lenient.errors).toEqual(strict.errors);
  });

  test('says why it knows no time, and falls back on the last worker there was', async () => {
    const server = await listening(language);
    const none = await dryRun(server, { requests: lines(1) });
    expect(none.eyrie).toMatchObject({ time: null, estimated_completion_at: null, at_risk: null });
    expect(none.eyrie.time_unknown).toContain('No worker');
    expect(none.eyrie.padding, 'with the default engine').toMatchObject({ slots: 32, prefill_tokens: 512 });
    await server.world.progress.reportWorker('w', report);
    await server.world.clock.advance(3_600_000);
    const last = await dryRun(server, { requests: lines(1) });
    expect(last.eyrie.time).toMatchObject({ basis: 'last_known', workers: 0, tokens_per_second: 100 });
  });

  test('refuses what a create refuses, and is not offered without a tokenizer', async () => {
    const server = await listening(language);
    await expect(dryRun(server, { requests: lines(1), completion_window: '3h' })).rejects.toMatchObject({
      param: 'completion_window',
    });
    await expect(dryRun(server, { requests: lines(1) }, { deadline: 1 })).rejects.toMatchObject({
      param: 'eyrie.deadline',
    });
    await expect(dryRun(await listening(), { requests: lines(1) })).rejects.toMatchObject({
      code: 'unsupported_value',
      param: 'eyrie.dry_run',
    });
  });

  test('of one tenant run one after the other, and leave a place for those of another', async () => {
    const grammars = new GatedGrammars();
    const server = await listening({ tokenizer: new ByteTokenizer(), grammars });
    const guided = { requests: [line('a', { guided_regex: 'a+' })] };
    const bob = server.client.withOptions({ apiKey: keyB });
    const once = { ...server, client: server.client.withOptions({ maxRetries: 0 }) };
    const refused: unknown[] = [];
    const ofMallory = [1, 2, 3, 4].map(() =>
      dryRun(once, guided).catch((error: unknown) => {
        refused.push(error);
        return null;
      }),
    );
    await eventually('one is at work, two wait, and one is refused', () => refused.length === 1);
    expect(refused).toMatchObject([{ status: 429, code: 'rate_limit_exceeded' }]);
    expect([...server.world.refusals.counts().keys()]).toEqual(['dryRunsWaitingMax']);
    expect((await dryRun({ ...server, client: bob }, { requests: lines(1) })).eyrie.valid).toBe(true);
    expect(grammars.asked).toBe(1);
    grammars.open();
    expect((await Promise.all(ofMallory)).filter((answer) => answer?.eyrie.valid === true)).toHaveLength(3);
  });

  test('tell of a file with too many different grammars', async () => {
    const server = await listening(language);
    const requests = Array.from({ length: 1 + bounds.grammarsPerBatchMax }, (_, n) =>
      line(`l-${n}`, { guided_regex: `a{${n + 1}}` }),
    );
    const answer = await dryRun(server, { requests });
    expect(answer.eyrie.valid).toBe(false);
    expect(answer.errors?.data).toMatchObject([{ code: 'invalid_request', line: null }]);
    expect(answer.errors?.data[0]?.message).toContain('1000 different grammars');
  });
});
