import { expect, test } from 'vitest';
import { FakeService } from '../../support/fake-service.js';

test('lines in the words of three services run in one batch, each under its own id', async () => {
  const service = new FakeService();
  service.startControl();
  service.startGenerate();
  const requests = [
    { custom_id: 'openai', body: { model: 'falcon', prompt: 'one' } },
    { recordId: 'bedrock', modelInput: { prompt: 'two', max_gen_len: 16 } },
    { recordId: 'again', modelInput: { prompt: 'three', max_tokens: 2, temperature: 0 } },
  ];
  const { id } = await service.createInline({ requests });
  const batch = await service.untilEnd(id);
  expect(batch).toMatchObject({
    status: 'completed',
    endpoint: '/v1/completions',
    request_counts: { total: 3, completed: 3, failed: 0 },
  });
  const answers = service.results(id, 'output').map((line) => [line.custom_id, line.response?.body.choices?.[0]?.text]);
  expect(answers).toEqual([
    ['openai', 'ONE'],
    ['bedrock', 'TWO'],
    ['again', 'TH'],
  ]);
});

test('chats with a system text beside them run; a line of the other kind fails the batch and is named', async () => {
  const service = new FakeService();
  service.startControl();
  service.startGenerate();
  const chat = (custom_id: string) => ({
    custom_id,
    params: { model: 'falcon', max_tokens: 20, system: 'Be kind.', messages: [{ role: 'user', content: 'hi' }] },
  });
  const good = await service.untilEnd((await service.createInline({ requests: [chat('a'), chat('b')] })).id);
  expect(good).toMatchObject({ status: 'completed', endpoint: '/v1/chat/completions' });
  expect(JSON.stringify(service.results(good.id, 'output'))).toContain('BE KIND.');

  const mixed = { requests: [chat('a'), { recordId: 'b', modelInput: { prompt: 'x' } }] };
  const bad = await service.untilEnd((await service.createInline(mixed)).id);
  expect(bad.status).toBe('failed');
  expect(bad.errors?.data).toMatchObject([{ code: 'invalid_url', param: 'url', line: 2 }]);
});
