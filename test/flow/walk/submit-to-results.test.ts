import { describe, expect, test } from 'vitest';
import { completionLine, FakeService } from '../../support/fake-service.js';

const manyLines = Array.from({ length: 200 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));

async function finished(service: FakeService, lines: readonly string[]) {
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit(lines);
  return service.untilEnd(id);
}

describe('a batch from submit to results', () => {
  test('gives every line once, in input order, and tells its counts', async () => {
    const service = new FakeService();
    const batch = await finished(service, manyLines);
    expect(batch).toMatchObject({
      status: 'completed',
      model: 'test/falcon',
      request_counts: { total: 200, completed: 200, failed: 0 },
    });
    const output = service.results(batch.id, 'output');
    expect(output.map((line) => line.custom_id)).toEqual(manyLines.map((_, at) => `line-${at}`));
    expect(output[17]?.response?.body.choices?.[0]).toMatchObject({
      text: 'PROMPT 17',
      finish_reason: 'stop',
      index: 0,
    });
    expect(batch.error_file_id).toBeNull();
    expect(batch.usage).toMatchObject({
      input_tokens: manyLines.reduce((sum, _, at) => sum + `prompt ${at}`.length, 0),
    });
  });

  test('shows each state with its time, and never goes back', async () => {
    const service = new FakeService({ sequenceMs: 1000 });
    const { id } = await service.submit(manyLines);
    expect(await service.view(id)).toMatchObject({
      status: 'validating',
      in_progress_at: null,
      request_counts: { total: 0 },
    });
    service.startControl();
    service.startGenerate();
    await service.world.clock.until('work', async () => (await service.view(id)).request_counts.completed > 0);
    const running = await service.view(id);
    expect(running).toMatchObject({ status: 'in_progress', output_file_id: null, request_counts: { total: 200 } });
    const ended = await service.untilEnd(id);
    expect(ended.in_progress_at).toBe(running.in_progress_at);
    for (const time of ['created_at', 'in_progress_at', 'finalizing_at', 'completed_at', 'expires_at'] as const)
      expect(ended[time]).toBeTypeOf('number');
  });

  test('leaves nothing behind in the queue, and no open marker', async () => {
    const service = new FakeService();
    await finished(service, manyLines);
    await service.settle();
    expect(service.world.store.keys().filter((key) => key.startsWith('open/') || key.startsWith('notify/'))).toEqual(
      [],
    );
    for (const kind of ['plan', 'shard', 'finish', 'deliver'] as const)
      expect(await service.world.queue.backlog(kind)).toEqual({ waiting: 0, active: 0, delayed: 0 });
  });

  test('holds no prompt and no answer in queue payloads or logs', async () => {
    const service = new FakeService({ script: () => 'sesame-answer' });
    await finished(service, [
      completionLine('secret-id', 'sesame-prompt'),
      completionLine('b', 'x', { top_p: 'sesame-value' }),
    ]);
    expect(JSON.stringify(service.world.log.entries)).not.toMatch(/sesame|secret-id/);
  });

  test('a line with a wrong body fails alone, in the error file, with the field named', async () => {
    const service = new FakeService();
    const batch = await finished(service, [
      completionLine('good', 'hi'),
      completionLine('hot', 'hi', { temperature: 3 }),
      completionLine('misspelt', 'hi', { max_token: 3 }),
      completionLine('long', 'x'.repeat(300)),
      completionLine('foreign', [999_999]),
    ]);
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 5, completed: 1, failed: 4 } });
    expect(
      service
        .results(batch.id, 'errors')
        .map((line) => [
          line.custom_id,
          line.response?.status_code,
          line.response?.body.error?.code,
          line.response?.body.error?.param,
        ]),
    ).toEqual([
      ['hot', 400, 'invalid_value', 'temperature'],
      ['misspelt', 400, 'unknown_parameter', 'max_token'],
      ['long', 400, 'context_length_exceeded', 'prompt'],
      ['foreign', 400, 'invalid_value', 'prompt'],
    ]);
  });

  test('a line that the engine cannot compute gets its error; the others complete', async () => {
    const { EyrieError } = await import('../../../src/domain/errors.js');
    const service = new FakeService({
      script: (ids) => (ids[0] === 'b'.charCodeAt(0) ? new EyrieError('numeric_error', 'NaN in the logits.') : 'fine'),
    });
    const batch = await finished(service, [
      completionLine('1', 'a'),
      completionLine('2', 'b'),
      completionLine('3', 'c'),
    ]);
    expect(batch.request_counts).toEqual({ total: 3, completed: 2, failed: 1 });
    expect(service.results(batch.id, 'errors')[0]).toMatchObject({
      custom_id: '2',
      response: { status_code: 500, body: { error: { code: 'numeric_error' } } },
    });
  });

  test('all lines failed: completed, with no output file', async () => {
    const service = new FakeService();
    const batch = await finished(service, [completionLine('1', 'a', { n: 99 })]);
    expect(batch).toMatchObject({
      status: 'completed',
      output_file_id: null,
      request_counts: { completed: 0, failed: 1 },
    });
    expect(batch.error_file_id).toBeTypeOf('string');
    expect(service.results(batch.id, 'output')).toEqual([]);
  });

  test('several prompts and choices in one line keep their order', async () => {
    const service = new FakeService();
    const batch = await finished(service, [completionLine('1', ['ab', 'cd'], { n: 2 })]);
    const choices = service.results(batch.id, 'output')[0]?.response?.body.choices;
    expect(choices?.map(({ index, text }) => [index, text])).toEqual([
      [0, 'AB'],
      [1, 'AB'],
      [2, 'CD'],
      [3, 'CD'],
    ]);
  });
});
