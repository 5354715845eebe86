import { APIError, AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { describe, expect, test } from 'vitest';
import { EyrieError } from '../../../src/domain/errors.js';
import { eventually } from '../../support/eventually.js';
import { answering, jsonPost, passTimeUntil, waiting } from './answering.js';
import type { FakeWorld } from './fake-world.js';
import { errorOf } from './listening.js';

const messages = [{ role: 'user' as const, content: 'Hi' }];

/** The stream, once its first events are under way. */
async function begun<T>(world: FakeWorld, stream: Promise<T>): Promise<T> {
  await passTimeUntil(world, 'some tokens', () => world.live.sent.some((text) => text.includes('"chunks"')), 100);
  return stream;
}

async function texts(stream: AsyncIterable<{ choices: { text: string }[] }>): Promise<string> {
  let all = '';
  for await (const { choices } of stream) all += choices.map(({ text }) => text).join('');
  return all;
}

describe('the official client', () => {
  test('completes a prompt, and nothing is left behind', async () => {
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

  test('chats, as a whole and as a stream', async () => {
    const { client } = await answering(() => ' Hello wörld 😀\n<human>: more');
    const chat = { model: 'falcon', messages };
    const whole = await client.chat.completions.create(chat);
    expect(whole.choices[0]).toMatchObject({ message: { role: 'assistant', content: 'Hello wörld 😀' } });
    const stream = client.chat.completions.stream({ ...chat, stream_options: { include_usage: true } });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]?.choices).toMatchObject([{ index: 0, delta: { role: 'assistant', content: '' } }]);
    expect(chunks.at(-2)?.choices).toMatchObject([{ delta: {}, finish_reason: 'stop' }]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect((await stream.finalChatCompletion()).choices[0]?.message.content).toBe('Hello wörld 😀');
  });

  test('gets its own error classes, and asks only once', async () => {
    const { client, world, url } = await answering(() => 'x');
    const failure = (body: object): Promise<unknown> =>
      client.chat.completions.create(body as never).catch((error: unknown) => error);
    const unknown = await failure({ model: 'gpt-4', messages });
    expect(unknown).toBeInstanceOf(NotFoundError);
    expect(unknown).toMatchObject({
      code: 'model_not_found',
      param: 'model',
      requestID: expect.stringMatching(/^req_/),
    });
    const bad = await failure({ model: 'falcon', messages, temperature: 3, stream: true });
    expect(bad).toBeInstanceOf(BadRequestError);
    expect(bad).toMatchObject({ code: 'invalid_value', param: 'temperature' });
    const long = await failure({ model: 'falcon', messages: [{ role: 'user', content: 'x'.repeat(3000) }] });
    expect(long).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
    const stranger = client.withOptions({ apiKey: 'ey_wrong', baseURL: `${url}/v1` });
    await expect(stranger.completions.create({ model: 'falcon', prompt: 'x' })).rejects.toBeInstanceOf(
      AuthenticationError,
    );
    expect(world.log.of('http.request')).toHaveLength(4);
    expect(world.store.calls.filter(({ key }) => key.startsWith('live/'))).toEqual([]);
  });

  test('learns what the engine says', async () => {
    const { client } = await answering(() => new EyrieError('numeric_error', 'The model gave no number.'));
    const request = { model: 'falcon', prompt: 'x' };
    await expect(client.completions.create(request)).rejects.toMatchObject({ status: 500, code: 'numeric_error' });
    // Before anything was streamed an error has its own status, too.
    await expect(client.completions.create({ ...request, stream: true })).rejects.toMatchObject({ status: 500 });
  });

  test('leaves a stream whenever it likes', async () => {
    const { client, world, engine } = await answering(() => 'abcdefgh'.repeat(20), { tokenMs: 100 });
    const request = { model: 'falcon', prompt: 'x', max_tokens: 500, stream: true as const };
    const stream = await begun(world, client.completions.create(request));
    expect(engine.active).toBe(1);
    stream.controller.abort();
    await passTimeUntil(world, 'its slot is free', () => engine.active === 0, 100);
    await eventually('its objects are gone', () => world.store.keys().length === 0);
  });

  test('sees an error in the middle of a stream as an error', async () => {
    const { client, world } = await answering(() => 'abcdefgh', { tokenMs: 100 });
    const stream = await begun(world, client.completions.create({ model: 'falcon', prompt: 'x', stream: true }));
    world.live.breakConnections();
    const error = await texts(stream).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: 'queue_unavailable', type: 'server_error' });
  });
});

test.each([
  ['no body', undefined, 'missing_required_parameter', null],
  ['no prompt', {}, 'missing_required_parameter', 'prompt'],
  ['an unknown field', { prompt: 'x', tempreature: 1 }, 'unknown_parameter', 'tempreature'],
  ['a token id beyond the vocabulary', { prompt: [70_000] }, 'invalid_value', 'prompt'],
  ['too many tokens', { prompt: 'x', max_tokens: 2048 }, 'context_length_exceeded', 'prompt'],
  [
    'a wrong stream option',
    { prompt: 'x', stream_options: { include_usage: 1 } },
    'invalid_type',
    'stream_options.include_usage',
  ],
])('%s is refused before any worker is woken', async (_, fields, code, param) => {
  const { call, world } = await waiting();
  const response = await call('/v1/completions', jsonPost(fields && { model: 'falcon', ...fields }));
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code, param });
  expect((await world.queue.backlog('live')).waiting).toBe(0);
});
