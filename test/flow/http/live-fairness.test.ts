import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { eventually } from '../../support/eventually.js';
import { answering, jsonPost, passTimeUntil } from './answering.js';
import { keyB } from './fake-world.js';

const long = { model: 'falcon', max_tokens: 100 };
const asB = (body: object): RequestInit => {
  const post = jsonPost(body);
  return { ...post, headers: { ...(post.headers as object), authorization: `Bearer ${keyB}` } };
};
const promptsOf = (requests: readonly { readonly promptIds: Uint32Array }[]): string[] =>
  requests.map(({ promptIds }) => Buffer.from(promptIds).toString());

test("one call of many sequences leaves slots for another tenant's", async () => {
  const { call, world, engine } = await answering(() => 'x', { sequenceMs: 10_000, slots: 8 });
  const large = call('/v1/completions', jsonPost({ ...long, prompt: Array.from({ length: 64 }, () => 'mallory') }));
  await eventually('its part of the slots is taken', () => engine.active === 6);
  const small = call('/v1/completions', asB({ ...long, prompt: 'bob' }));
  // No time passes: it waits for nobody.
  await eventually('the other one has a slot', () => promptsOf(engine.requests).includes('bob'));
  expect(engine.active).toBe(7);
  let answered = false;
  void small.then(() => (answered = true));
  await passTimeUntil(world, 'its answer', () => answered);
  expect((await small).status).toBe(200);
  expect(promptsOf(engine.requests).filter((prompt) => prompt === 'mallory').length).toBeLessThan(20);
  let done = false;
  void large.then(() => (done = true));
  await passTimeUntil(world, 'the large answer', () => done);
  expect((await large).status).toBe(200);
});

test('a worker full of the calls of one tenant takes one of another at once; what is beyond waits in the queue', async () => {
  const { call, world, engine, consumer } = await answering(() => 'x', { sequenceMs: 60_000, slots: 64 });
  const many = Array.from({ length: 40 }, () => call('/v1/completions', jsonPost({ ...long, prompt: 'mallory' })));
  await eventually('its part of the places is taken', () => engine.active === 24);
  await eventually('the others wait', async () => (await world.queue.backlog('live')).delayed === 16);
  expect(consumer.active()).toBe(24);
  const small = call('/v1/completions', asB({ ...long, prompt: 'bob' }));
  await eventually('the other one has a slot', () => promptsOf(engine.requests).includes('bob'));
  let left = 41;
  for (const answer of [...many, small]) void answer.then(() => left--);
  await passTimeUntil(world, 'all answers', () => left === 0, bounds.livePutBackMs);
  expect((await Promise.all(many)).every(({ status }) => status === 200)).toBe(true);
});

test.each<[string, object, RegExp]>([
  ['sequences', { prompt: Array.from({ length: 64 }, () => 'x'), n: 2 }, /128 sequences.*64.*batch/],
  [
    'prompt tokens',
    { prompt: Array.from({ length: 20 }, () => 'x'.repeat(2000)) },
    /already \d+ prompt tokens.*32768.*batch/,
  ],
  ['bytes', { prompt: 'x', logprobs: 5, n: 16, max_tokens: 2000 }, /bytes.*8388608.*batch/],
])('more %s than a call may have are refused before any worker is woken, and counted', async (_, fields, message) => {
  const { call, world, engine } = await answering(() => 'x');
  const response = await call('/v1/completions', jsonPost({ ...long, max_tokens: 16, ...fields }));
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe('invalid_value');
  expect(error.message).toMatch(message);
  expect(engine.requests).toEqual([]);
  expect([...world.refusals.counts().values()]).toEqual([1]);
});

test('a worker checks the bounds again: the request lies where others might write', async () => {
  const { world, engine } = await answering(() => 'x');
  const body = { ...long, prompt: Array.from({ length: 65 }, () => 'x') };
  const heard: string[] = [];
  await world.live.listen('call_1', { onMessage: (text) => heard.push(text), onLost: () => undefined });
  const request = { v: 1, endpoint: '/v1/completions', body };
  await world.store.put('live/tenant-a/call_1/request.json', Buffer.from(JSON.stringify(request)));
  await world.queue.add('live', [{ id: 'live-call_1', payload: { tenant: 'tenant-a', callId: 'call_1' } }]);
  await eventually('it is refused', () => heard.some((text) => text.includes('invalid_value')));
  expect(engine.requests).toEqual([]);
});
