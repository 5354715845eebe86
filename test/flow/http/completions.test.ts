import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { answering } from './answering.js';

test('the official client completes a prompt, and nothing is left behind', async () => {
  const { client, world, engine } = await answering(() => ' Hello wörld 😀');
  const answer = await client.completions.create({ model: 'falcon', prompt: 'Hi', max_tokens: 30 });
  expect(answer).toMatchObject({
    object: 'text_completion',
    model: world.model.id,
    choices: [{ index: 0, text: ' Hello wörld 😀', logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: 2, completion_tokens: 19, total_tokens: 21 },
  });
  expect(answer._request_id).toMatch(/^req_/);
  expect(engine.requests[0]?.urgent).toBe(true);
  await eventually('its objects are gone', () => world.store.keys().length === 0);
  expect(await world.queue.backlog('live')).toEqual({ waiting: 0, active: 0, delayed: 0 });
  expect(world.live.topics()).toEqual([]);
});

test('the official client chats, as a whole and as a stream', async () => {
  const { client } = await answering(() => ' Hello wörld 😀\n<human>: more');
  const chat = { model: 'falcon', messages: [{ role: 'user' as const, content: 'Hi' }] };
  const whole = await client.chat.completions.create(chat);
  expect(whole.choices[0]).toMatchObject({ message: { role: 'assistant', content: 'Hello wörld 😀' } });
  const stream = client.chat.completions.stream({ ...chat, stream_options: { include_usage: true } });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const [first] = chunks;
  const last = chunks.at(-1);
  expect(first?.choices).toMatchObject([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]);
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Hello wörld 😀');
  expect(chunks.at(-2)?.choices).toMatchObject([{ delta: {}, finish_reason: 'stop' }]);
  expect(last).toMatchObject({ choices: [], usage: whole.usage });
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
});
