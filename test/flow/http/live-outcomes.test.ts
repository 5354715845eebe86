import type { AddressInfo } from 'node:net';
import OpenAI, { InternalServerError, type APIError } from 'openai';
import { describe, expect, test } from 'vitest';
import { scaleFleet } from '../../../src/app/scale-fleet.js';
import { sweepLive } from '../../../src/app/live/sweep-live.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { createServer } from '../../../src/http/server.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { eventually } from '../../support/eventually.js';
import { answering, jsonPost, passTimeUntil, startWorker, waiting } from './answering.js';
import { fakeWorld, keyA, type FakeWorld } from './fake-world.js';
import { errorOf } from './listening.js';

const request = { model: 'falcon', prompt: 'x', max_tokens: 200 };
const body = (fields: object = {}): RequestInit => jsonPost({ ...request, ...fields });

/** Settled or not, without waiting for it. */
function watched<T>(promise: Promise<T>): { readonly promise: Promise<T>; readonly settled: () => boolean } {
  let settled = false;
  const mark = (): void => void (settled = true);
  promise.then(mark, mark);
  return { promise, settled: () => settled };
}

const openCalls = async ({ queue }: FakeWorld): Promise<number> => {
  const { waiting: inQueue, active } = await queue.backlog('live');
  return inQueue + active;
};
const nothingLeft = (world: FakeWorld): Promise<void> =>
  eventually(
    'nothing of the call is left',
    async () => world.store.keys().length === 0 && (await openCalls(world)) === 0,
  );

describe('without a worker', () => {
  test('a call asks for one, waits, and is answered once it has come', async () => {
    const { client, world } = await waiting();
    const answer = watched(client.completions.create(request));
    await eventually('the call waits', async () => (await openCalls(world)) === 1);
    const wanted: number[] = [];
    const launcher = { want: (count: number) => Promise.resolve(void wanted.push(count)) };
    await scaleFleet(world, launcher, { workersMin: 0, workersMax: 4, drainGoalSeconds: 60 });
    expect(wanted).toEqual([1]);
    await world.clock.advance(120_000);
    expect(answer.settled()).toBe(false);
    startWorker(world, () => 'here');
    expect((await answer.promise).choices[0]?.text).toBe('here');
    await nothingLeft(world);
    await scaleFleet(world, launcher, { workersMin: 0, workersMax: 4, drainGoalSeconds: 60 });
    expect(wanted).toEqual([1, 0]);
  });

  test.each([{}, { stream: true }])('a call %o is given up before clients lose their patience', async (fields) => {
    const { call, world } = await waiting();
    const answer = watched(call('/v1/completions', body(fields)));
    await eventually('the call waits', async () => (await openCalls(world)) === 1);
    await world.clock.advance(bounds.liveWaitMs - 1);
    expect(answer.settled()).toBe(false);
    await world.clock.advance(1);
    const response = await answer.promise;
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('10');
    expect(await errorOf(response)).toMatchObject({ code: 'generation_timeout' });
    await nothingLeft(world);
  });

  test('a client that goes away takes its call with it', async () => {
    const { call, world } = await waiting();
    const client = new AbortController();
    const gone = call('/v1/completions', { ...body(), signal: client.signal });
    await eventually('the call waits', async () => (await openCalls(world)) === 1);
    client.abort();
    await expect(gone).rejects.toThrow('abort');
    await nothingLeft(world);
    const { engine } = startWorker(world, () => 'x');
    expect(engine.requests).toEqual([]);
    expect(world.log.of('http.client_gone')).toHaveLength(1);
    expect(world.log.of('http.failed')).toEqual([]);
  });
});

describe('with a worker', () => {
  test.each([{}, { stream: true }])('a client that goes away frees its slot, also with %o', async (fields) => {
    const { call, world, engine } = await answering(() => 'abcdef', { sequenceMs: 60_000 });
    const client = new AbortController();
    const gone = call('/v1/completions', { ...body({ ...fields, n: 3 }), signal: client.signal });
    await eventually('three slots are taken', () => engine.active === 3);
    client.abort();
    await expect(gone).rejects.toThrow('abort');
    await eventually('nobody listens', () => world.live.topics().length === 0);
    await world.clock.advance(bounds.livePulseMs);
    expect(engine.active).toBe(0);
    await nothingLeft(world);
    expect(world.log.of('live.done').map(({ fields: { outcome } }) => outcome)).toEqual(['caller_gone']);
  });

  test('a call whose worker is killed before it had begun is made again with another', async () => {
    const { client, world, kill } = await answering(() => 'never');
    // It reads the request for ever.
    world.store.fault = ({ operation, key }) =>
      operation === 'get' && key.startsWith('live/') ? { delayMs: 3_600_000 } : undefined;
    const answer = watched(client.withOptions({ maxRetries: 0 }).completions.create(request));
    await eventually('the worker has it', async () => (await world.queue.backlog('live')).active === 1);
    kill();
    world.store.fault = () => undefined;
    startWorker(world, () => 'second');
    await passTimeUntil(world, 'the answer', answer.settled);
    expect((await answer.promise).choices[0]?.text).toBe('second');
    expect(world.log.of('live.worker_lost')).toHaveLength(1);
  });

  test('a call that breaks its worker is not made twice, and clients do not repeat it', async () => {
    const { client, world, kill, engine } = await answering(() => 'never', { sequenceMs: 3_600_000 });
    const failure = watched(client.completions.create(request).catch((error: unknown) => error));
    await eventually('the worker has it', () => engine.active === 1);
    kill();
    const { engine: second } = startWorker(world, () => 'second');
    await passTimeUntil(world, 'the answer', failure.settled);
    const error = await failure.promise;
    expect(error).toMatchObject({ status: 500, code: 'worker_crashed', type: 'server_error' });
    expect((error as APIError).headers?.get('x-should-retry')).toBe('false');
    // Neither again by the API, nor by the queue, which gives the job of a lost worker to another one.
    await world.clock.advance(300_000);
    expect(second.requests).toEqual([]);
    expect(world.log.of('live.worker_lost')).toEqual([]);
    await nothingLeft(world);
  });

  test('a worker whose lock was lost at a call does not hand it to another one', async () => {
    const { call, world, engine } = await answering(() => 'never', { sequenceMs: 3_600_000 });
    const answer = watched(call('/v1/completions', body()));
    await eventually('the worker has it', () => engine.active === 1);
    world.queue.wipe();
    await passTimeUntil(world, 'the answer', answer.settled);
    expect(await errorOf(await answer.promise)).toMatchObject({ code: 'worker_crashed' });
  });

  test('a stream whose worker is killed ends with an error, not with [DONE]', async () => {
    const { call, world, kill } = await answering(() => 'a'.repeat(150), { tokenMs: 1000 });
    const response = watched(call('/v1/completions', body({ stream: true })));
    await passTimeUntil(world, 'the first tokens', response.settled);
    kill();
    const stream = watched((await response.promise).text());
    await passTimeUntil(world, 'the end of the stream', stream.settled);
    const events = (await stream.promise).split('\n\n').filter(Boolean);
    expect(JSON.parse(events.at(-1)?.slice('data: '.length) ?? '')).toMatchObject({
      error: { code: 'worker_crashed', type: 'server_error' },
    });
  });

  test('a worker that is told to end hands its calls to another one', async () => {
    const { client, world, consumer } = await answering(() => 'never', { sequenceMs: 3_600_000 });
    const answer = client.completions.create(request);
    await eventually('the worker has it', () => consumer.active() === 1);
    startWorker(world, () => 'second');
    const closed = consumer.close(0);
    await world.clock.advance(0);
    expect((await answer).choices[0]?.text).toBe('second');
    await closed;
  });
});

describe('when a part is away', () => {
  test('Redis, from the start or while a call waits', async () => {
    const { call, world } = await waiting();
    world.live.unavailable = true;
    const refused = await call('/v1/completions', body());
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await errorOf(refused)).toMatchObject({ code: 'queue_unavailable' });
    world.live.unavailable = false;
    const lost = call('/v1/completions', body());
    await eventually('the call waits', async () => (await openCalls(world)) === 1);
    world.live.breakConnections();
    expect(await errorOf(await lost)).toMatchObject({ code: 'queue_unavailable' });
    world.queue.unavailable = true;
    expect(await errorOf(await call('/v1/completions', body()))).toMatchObject({ code: 'queue_unavailable' });
  });

  test('the object store, for the API or for the worker', async () => {
    const { client, world } = await answering(() => 'x');
    for (const operation of ['put', 'get']) {
      world.store.fault = (done) => (done.operation === operation ? { fail: 'before' } : undefined);
      const error: unknown = await client
        .withOptions({ maxRetries: 0 })
        .completions.create(request)
        .catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(InternalServerError);
      expect(error).toMatchObject({ status: 503, code: 'store_unavailable' });
    }
  });

  test('what a crash left behind is swept away after a while', async () => {
    const { world } = await waiting();
    await world.store.put(keys.liveRequest('tenant-a', 'call_old'), Buffer.of());
    await world.clock.advance(bounds.liveObjectMs);
    await world.store.put(keys.liveAnswer('tenant-a', 'call_new'), Buffer.of());
    await sweepLive(world);
    expect(world.store.keys()).toHaveLength(2);
    await world.clock.advance(1);
    await sweepLive(world);
    expect(world.store.keys()).toEqual([keys.liveAnswer('tenant-a', 'call_new')]);
  });

  test('a worker drops a call whose API process was killed', async () => {
    const world = fakeWorld();
    const call = { tenant: 'tenant-a', callId: 'call_1' };
    await world.store.put(
      keys.liveRequest(call.tenant, call.callId),
      Buffer.from(JSON.stringify({ v: 1, endpoint: '/v1/completions', body: request })),
    );
    await world.queue.add('live', [{ id: 'live-call_1', payload: call }]);
    const { engine } = startWorker(world, () => 'x', { sequenceMs: 60_000 });
    await nothingLeft(world);
    expect(engine.active).toBe(0);
  });
});

test('a shutdown gives calls a while, then ends them with an error', async () => {
  const world = fakeWorld();
  const server = createServer(world, { tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const client = new OpenAI({ apiKey: keyA, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
  const waits = watched(client.completions.create(request));
  await eventually('the call waits', async () => (await openCalls(world)) === 1);
  const closed = watched(server.close());
  await world.clock.advance(bounds.liveShutdownMs - 1);
  expect(waits.settled()).toBe(false);
  await world.clock.advance(1);
  await expect(waits.promise).rejects.toMatchObject({ status: 503, code: 'service_unavailable' });
  await closed.promise;
  await nothingLeft(world);
});
