import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { dryRun } from '../../../src/app/dry-run.js';
import { InboxWatcher } from '../../../src/app/watch-inbox.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

async function validated(lines: readonly string[], change = {}) {
  const service = new FakeService();
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit(lines, change);
  return { service, batch: await service.untilEnd(id) };
}

const good = completionLine('good', 'hi');
const envelope = (change: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...(JSON.parse(completionLine('x', 'hi')) as object), ...change });

test('the tokenizer knows whose lines it reads, when they are planned and when they run', async () => {
  const encode = vi.spyOn(ByteTokenizer.prototype, 'encode');
  onTestFinished(() => encode.mockRestore());
  const { batch } = await validated([good]);
  expect(batch.status).toBe('completed');
  expect(encode.mock.calls.map(([, , options]) => options?.tenant)).toEqual([tenant, tenant]);
});

describe('a file with lines that are no requests fails as a whole, before any work', () => {
  test.each([
    ['not JSON', '{"custom_id":', 'invalid_json_line', null],
    ['an array', '[1]', 'invalid_json_line', null],
    ['too deep', '['.repeat(100), 'invalid_json_line', null],
    ['no custom_id', envelope({ custom_id: undefined }), 'missing_required_parameter', 'custom_id'],
    ['an empty custom_id', envelope({ custom_id: '' }), 'invalid_custom_id', 'custom_id'],
    ['a custom_id twice', good, 'duplicate_custom_id', 'custom_id'],
    ['another method', envelope({ method: 'GET' }), 'invalid_method', 'method'],
    ['another url', envelope({ url: '/v1/chat/completions' }), 'invalid_url', 'url'],
    ['an unknown model', envelope({ body: { model: 'gpt', prompt: 'x' } }), 'model_not_found', 'body.model'],
    ['no model', envelope({ body: { prompt: 'x' } }), 'invalid_request', 'body.model'],
    ['no prompt', envelope({ body: { model: 'test/falcon' } }), 'invalid_request', 'body.prompt'],
    [
      'streaming',
      envelope({ body: { model: 'test/falcon', prompt: 'x', stream: true } }),
      'streaming_unsupported',
      'body.stream',
    ],
  ])('%s', async (_, line, code, param) => {
    const { service, batch } = await validated([good, '', line]);
    expect(batch).toMatchObject({
      status: 'failed',
      request_counts: { total: 0 },
      output_file_id: null,
      error_file_id: null,
    });
    expect(batch.errors?.data).toEqual([{ code, param, line: 3, message: expect.any(String) as string }]);
    expect(service.world.store.keys().some((key) => key.includes('/parts/'))).toBe(false);
  });

  test('all bad lines are counted, the first hundred listed', async () => {
    const { batch } = await validated(Array.from({ length: 150 }, () => 'x'));
    expect(batch.errors?.data).toHaveLength(101);
    expect(batch.errors?.data[99]).toMatchObject({ line: 100 });
    expect(batch.errors?.data[100]).toMatchObject({ line: null, message: expect.stringContaining('150') as string });
  });

  test('an empty file', async () => {
    const { batch } = await validated(['', '  ']);
    expect(batch.errors?.data).toMatchObject([{ code: 'empty_file', line: null }]);
  });
});

test('lenient: lines that are no requests become lines of the error file', async () => {
  const { service, batch } = await validated([good, 'x', completionLine('good', 'again'), completionLine('b', 'hi')], {
    eyrie: { validation: 'lenient' },
  });
  expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 4, completed: 2, failed: 2 } });
  expect(service.results(batch.id, 'output').map((line) => line.custom_id)).toEqual(['good', 'b']);
  expect(service.results(batch.id, 'errors').map((line) => [line.custom_id, line.response?.body.error?.code])).toEqual([
    [null, 'invalid_json_line'],
    ['good', 'duplicate_custom_id'],
  ]);
});

test.each(['file-nothing', 'no id at all', '../../etc/passwd'])('an unknown input file: %s', async (fileId) => {
  const service = new FakeService();
  service.startControl();
  const { id, status } = await service.create(fileId);
  expect(status).toBe('validating');
  expect((await service.untilEnd(id)).errors?.data).toMatchObject([
    { code: 'invalid_request', param: 'file_id', line: null },
  ]);
});

describe('an input whose object is written again after the accept', () => {
  const contentOf = (service: FakeService): string =>
    service.world.store.keys().find((name) => name.endsWith('/content')) ?? '';

  test('with other bytes fails, and contents are never mixed', async () => {
    for (const other of [completionLine('other', 'hi'), good.replace('hi', 'ho')]) {
      const service = new FakeService();
      const { id } = await service.create(await service.upload(good));
      await service.world.store.put(contentOf(service), Buffer.from(other));
      service.startControl();
      expect((await service.untilEnd(id)).errors?.data).toMatchObject([{ code: 'input_changed' }]);
    }
  });

  test('with the same bytes, as a store may do behind our back, is the same input', async () => {
    const service = new FakeService({ sequenceMs: 1000 });
    const many = Array.from({ length: 200 }, (_, at) => completionLine(`line-${at}`, `p${at}`)).join('\n');
    const { id } = await service.create(await service.upload(many));
    const again = () => service.world.store.put(contentOf(service), Buffer.from(many));
    await again();
    service.startControl();
    await service.world.clock.until('planned', async () => (await service.view(id)).status === 'in_progress');
    await again();
    service.startGenerate();
    expect(await service.untilEnd(id)).toMatchObject({ status: 'completed', request_counts: { completed: 200 } });
  });

  test('fails where it is the user’s own, whose bytes nobody has seen', async () => {
    const service = new FakeService();
    const inbox = new InboxWatcher(service.world);
    const key = `inbox/${tenant}/in.jsonl`;
    await service.world.store.put(key, Buffer.from(good));
    for (let look = 0; look < 2; look++) await inbox.poll();
    await service.world.store.put(key, Buffer.from(good));
    const [marker = ''] = service.world.store.keys().filter((name) => name.startsWith('open/'));
    service.startControl();
    const batch = await service.untilEnd(marker.split('/').at(-1) ?? '');
    expect(batch.errors?.data).toMatchObject([{ code: 'input_changed' }]);
  });

  test('is told by a dry run too', async () => {
    const service = new FakeService();
    const fileId = await service.upload(good);
    await service.world.store.put(contentOf(service), Buffer.from(good.replace('hi', 'ho')));
    const planner = { ...service.world, tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() };
    const request = { input_file_id: fileId, endpoint: '/v1/completions' as const, completion_window: '24h' as const };
    await expect(dryRun(planner, tenant, request, new AbortController().signal)).rejects.toMatchObject({
      code: 'input_changed',
    });
  });
});
