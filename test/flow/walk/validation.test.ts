import { describe, expect, test } from 'vitest';
import { completionLine, FakeService } from '../../support/fake-service.js';

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

test('an input that is replaced after the accept fails, and contents are never mixed', async () => {
  const service = new FakeService();
  const fileId = await service.upload(good);
  const { id } = await service.create(fileId);
  const key = service.world.store.keys().find((name) => name.endsWith('/content')) ?? '';
  await service.world.store.put(key, Buffer.from(completionLine('other', 'hi')));
  service.startControl();
  expect((await service.untilEnd(id)).errors?.data).toMatchObject([{ code: 'input_changed' }]);
});
