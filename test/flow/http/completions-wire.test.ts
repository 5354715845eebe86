import { expect, test } from 'vitest';
import { chatEvent, chatObject } from '../../../src/contract/chat-object.js';
import { completionEvent, completionObject } from '../../../src/contract/completion-object.js';
import { bounds } from '../../../src/domain/bounds.js';
import { eventually } from '../../support/eventually.js';
import { answering, jsonPost, passTimeUntil } from './answering.js';

const messages = [{ role: 'user' as const, content: 'Hi' }];

/** The data of each event. */
const eventsOf = (stream: string): string[] =>
  stream
    .split('\n\n')
    .filter(Boolean)
    .map((event) => event.replace(/^data: /, ''));

test('a completion is one event after another, and [DONE]', async () => {
  const { call } = await answering(() => 'é!');
  const response = await call('/v1/completions', jsonPost({ model: 'falcon', prompt: 'x', stream: true, logprobs: 1 }));
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-cache');
  expect(response.headers.get('x-request-id')).toMatch(/^req_/);
  expect(response.headers.get('x-ratelimit-remaining-requests')).toMatch(/^\d+$/);
  const stream = await response.text();
  expect(stream.endsWith('\n\ndata: [DONE]\n\n')).toBe(true);
  const events = eventsOf(stream).slice(0, -1);
  const parsed = events.map((event) => completionEvent.strict().parse(JSON.parse(event)));
  expect(parsed.flatMap(({ choices }) => choices)).toEqual([
    { index: 0, text: '', finish_reason: null, logprobs: expect.objectContaining({ tokens: ['bytes:\\xc3'] }) },
    { index: 0, text: 'é', finish_reason: null, logprobs: expect.objectContaining({ text_offset: [0] }) },
    { index: 0, text: '!', finish_reason: null, logprobs: expect.objectContaining({ text_offset: [1] }) },
    { index: 0, text: '', finish_reason: 'stop', logprobs: expect.objectContaining({ text_offset: [2] }) },
  ]);
  expect(parsed.every((event) => !('usage' in event))).toBe(true);
});

test('a chat has the role first and the reason for its end last', async () => {
  const { call } = await answering(() => ' ok');
  const body = { model: 'falcon', messages, stream: true, stream_options: { include_usage: true }, logprobs: true };
  const stream = await (await call('/v1/chat/completions', jsonPost(body))).text();
  const events = eventsOf(stream).slice(0, -1);
  const parsed = events.map((event) => chatEvent.strict().parse(JSON.parse(event)));
  expect(parsed.map(({ choices }) => choices.map(({ delta }) => delta))).toEqual([
    [{ role: 'assistant', content: '', refusal: null }],
    [{ content: '' }],
    [{ content: 'o' }],
    [{ content: 'k' }],
    [{}],
    [],
  ]);
  expect(parsed.map(({ usage }) => usage?.total_tokens ?? null)).toEqual([null, null, null, null, null, 22]);
});

test('whole answers are what the API document says', async () => {
  const { call } = await answering(() => 'x');
  const completion = await call(
    '/v1/completions',
    jsonPost({ model: 'falcon', prompt: ['a', 'b'], n: 2, logprobs: 2 }),
  );
  expect(
    completionObject
      .strict()
      .parse(await completion.json())
      .choices.map(({ index }) => index),
  ).toEqual([0, 1, 2, 3]);
  const chat = await call('/v1/chat/completions', jsonPost({ model: 'falcon', messages, logprobs: true }));
  expect(chatObject.strict().parse(await chat.json()).choices).toHaveLength(1);
});

test('a character that some take for a line end does not end an event', async () => {
  const { call } = await answering(() => 'a\u2028b\u0085c\r\nd');
  const body = { model: 'falcon', prompt: 'x', stream: true, best_of: 2 };
  const stream = await (await call('/v1/completions', jsonPost(body))).text();
  expect(stream).not.toMatch(/[\r\u0085\u2028]/);
  const [first = ''] = eventsOf(stream);
  expect(completionEvent.parse(JSON.parse(first)).choices[0]?.text).toBe('a\u2028b\u0085c\r\nd');
});

test('a large answer comes through the store and is removed from it', async () => {
  const { call, world } = await answering(() => 'y'.repeat(1000));
  const prompt = Array.from({ length: 10 }, () => 'x');
  const response = await call(
    '/v1/completions',
    jsonPost({ model: 'falcon', prompt, n: 2, max_tokens: 1000, logprobs: 3 }),
  );
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  const text = await response.text();
  expect(Number(response.headers.get('content-length'))).toBe(Buffer.byteLength(text));
  expect(text.length).toBeGreaterThan(3 * bounds.liveInlineBytes);
  const answer = completionObject.strict().parse(JSON.parse(text));
  expect(answer.choices).toHaveLength(20);
  expect(answer.choices.every((choice) => choice.text === 'y'.repeat(1000))).toBe(true);
  expect(Math.max(...world.live.sent.map((sent) => sent.length))).toBeLessThan(bounds.liveInlineBytes);
  await eventually('its objects are gone', () => world.store.keys().length === 0);
});

test('a stream that is silent for long shows that it lives', async () => {
  const { call, world } = await answering(() => 'abc', { tokenMs: 40_000 });
  const response = call('/v1/completions', jsonPost({ model: 'falcon', prompt: 'x', stream: true }));
  let stream: string | null = null;
  void response.then(async (answer) => (stream = await answer.text()));
  await passTimeUntil(world, 'the end', () => stream !== null);
  expect(stream).toMatch(/^data: .*\n\n: at work\n\n: at work\n\ndata: /);
});
