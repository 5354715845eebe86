import { afterEach, describe, expect, test, vi } from 'vitest';
import { deleteEndpoint } from '../../../src/app/webhooks/delete-endpoint.js';
import { listDeliveries } from '../../../src/app/webhooks/list-deliveries.js';
import { replayDelivery } from '../../../src/app/webhooks/replay-delivery.js';
import { sendTest } from '../../../src/app/webhooks/send-test.js';
import { changeShare } from '../../../src/app/webhooks/change-share.js';
import { updateEndpoint } from '../../../src/app/webhooks/update-endpoint.js';
import { bounds } from '../../../src/domain/bounds.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { eventOf, makeEndpoint } from '../../support/webhook-calls.js';
import { answer, hourMs, log, runBatch, started, verifyAt } from '../../support/webhook-walk.js';

async function whileTimePasses<T>(service: FakeService, call: Promise<T>): Promise<T> {
  let done = false;
  void call.finally(() => (done = true));
  await service.world.clock.until('the answer', () => done, hourMs);
  return call;
}

afterEach(() => void vi.useRealTimers());

describe('a test event', () => {
  test('is signed and sent at once, also to a disabled endpoint; the answer tells status and time', async () => {
    const service = started({ answer: () => answer(204) });
    const endpoint = await makeEndpoint(service.world, tenant, { enabled: false });
    const result = await whileTimePasses(service, sendTest(service.world, tenant, endpoint.id, 'batch.completed'));
    expect(result).toMatchObject({ state: 'delivered', status: 204, ms: 0, error: null, test: true, batch_id: null });
    const [post] = service.posts;
    if (!post) throw new Error('a post is expected');
    expect(await verifyAt(post, endpoint.secret)).toBe('batch.completed');
    expect(eventOf(post).data).toMatchObject({ test: true });
    expect(await log(service, endpoint.id)).toEqual([result]);
  });

  test('is tried once', async () => {
    const service = started({ answer: () => answer(500) });
    const { id } = await makeEndpoint(service.world, tenant);
    const result = await whileTimePasses(service, sendTest(service.world, tenant, id, 'inbox.rejected'));
    expect(result).toMatchObject({ type: 'inbox.rejected', state: 'failed', status: 500, next_attempt_at: null });
    await service.settle();
    expect(service.posts).toHaveLength(1);
  });

  test('that nobody sends in time is returned as pending, and sent later', async () => {
    const service = new FakeService();
    const { id } = await makeEndpoint(service.world, tenant);
    const result = await whileTimePasses(service, sendTest(service.world, tenant, id, 'batch.completed'));
    expect(result).toMatchObject({ state: 'pending', status: null, attempts: [] });
    service.startControl();
    await service.settle();
    expect(await log(service, id)).toMatchObject([{ id: result.id, state: 'delivered' }]);
  });
});

describe('the delivery log', () => {
  test('shows each attempt with status, time and error, and when the next one is', async () => {
    let attempt = 0;
    const service = started({
      answer: () =>
        attempt++ === 0 ? { status: null, error: 'timeout', retryAfterMs: null } : answer(attempt < 4 ? 503 : 200),
    });
    const { id } = await makeEndpoint(service.world, tenant);
    const batch = await service.submit([completionLine('1', 'a')]);
    await service.untilEnd(batch.id);
    await service.world.clock.until('two attempts', () => service.posts.length === 2);
    await service.world.clock.advance(1000);
    const [running] = await log(service, id);
    expect(running).toMatchObject({
      object: 'webhook_delivery',
      endpoint_id: id,
      type: 'batch.completed',
      batch_id: batch.id,
      state: 'pending',
      status: 503,
      attempts: [
        { status: null, error: 'timeout', ms: 0, replay: false },
        { status: 503, error: null, ms: 0, replay: false },
      ],
    });
    expect(running?.next_attempt_at).toBeGreaterThan(Math.floor(service.world.clock.now() / 1000) + 250);
    await service.settle();
    expect(await log(service, id)).toMatchObject([{ state: 'delivered', attempts: [{}, {}, {}, { status: 200 }] }]);
  });

  test('is paged newest first, by a cursor that stays when newer events come; it reads no batch', async () => {
    const service = started();
    const { id } = await makeEndpoint(service.world, tenant);
    const batches: string[] = [];
    for (let n = 0; n < 5; n++) batches.unshift(await runBatch(service));
    const { store } = service.world;
    const first = await listDeliveries(store, tenant, id, { after: null, limit: 2 });
    await runBatch(service);
    store.calls.length = 0;
    const second = await listDeliveries(store, tenant, id, { after: first.last_id, limit: 2 });
    expect(store.calls.filter(({ key }) => key.includes('/b/'))).toEqual([]);
    const third = await listDeliveries(store, tenant, id, { after: second.last_id, limit: 2 });
    expect([first, second, third].map(({ has_more }) => has_more)).toEqual([true, true, false]);
    expect([first, second, third].flatMap(({ data }) => data.map(({ batch_id }) => batch_id))).toEqual(batches);
  });
});

describe('a replay', () => {
  test('sends the same event with the same id and a new timestamp, as a further attempt', async () => {
    const service = started();
    const { id, secret } = await makeEndpoint(service.world, tenant);
    await runBatch(service);
    const [delivery] = await log(service, id);
    const asked = await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    expect(asked).toMatchObject({ state: 'pending', attempts: [{ status: 200 }] });
    await service.settle();
    const [before, after] = service.posts;
    if (!before || !after) throw new Error('two posts are expected');
    expect(after.body).toBe(before.body);
    expect(after.headers['webhook-id']).toBe(before.headers['webhook-id']);
    expect(Number(after.headers['webhook-timestamp'])).toBeGreaterThan(Number(before.headers['webhook-timestamp']));
    expect(await verifyAt(after, secret)).toBe('batch.completed');
    expect(await log(service, id)).toMatchObject([
      { state: 'delivered', attempts: [{ replay: false }, { status: 200, replay: true }] },
    ]);
  });

  test('works for what was given up after three days, and leaves it so when it fails', async () => {
    let works = false;
    const service = started({ answer: () => answer(works ? 200 : 500), loopMs: hourMs / 6 });
    const { id } = await makeEndpoint(service.world, tenant);
    await runBatch(service);
    await service.world.clock.advance(4.5 * 24 * hourMs);
    const [delivery] = await log(service, id);
    expect(delivery).toMatchObject({ state: 'failed', reason: 'not taken in three days' });
    expect(delivery?.attempts).toHaveLength(bounds.webhookRetryDelaysMs.length);
    await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    await service.settle();
    expect(await log(service, id)).toMatchObject([{ state: 'failed', status: 500 }]);
    works = true;
    await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    await service.settle();
    expect(await log(service, id)).toMatchObject([{ state: 'delivered', status: 200, reason: null }]);
    expect(new Set(service.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  test('of one that waits for its next attempt goes out at once; the schedule goes on where it was', async () => {
    const service = started({ answer: () => answer(500) });
    const { id } = await makeEndpoint(service.world, tenant);
    const batch = await service.submit([completionLine('1', 'a')]);
    await service.untilEnd(batch.id);
    await service.world.clock.until('two attempts', () => service.posts.length === 2);
    await service.world.clock.advance(1000);
    const [delivery] = await log(service, id);
    await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    await service.world.clock.advance(1000);
    expect(service.posts).toHaveLength(3);
    await service.settle();
    const [after] = await log(service, id);
    expect(after?.attempts.map(({ replay }) => replay)).toEqual([false, false, true, false, false]);
  });

  test('is not lost when the queue is away or emptied, nor when an attempt is under way', async () => {
    const service = started();
    const { id } = await makeEndpoint(service.world, tenant);
    await runBatch(service);
    const [delivery] = await log(service, id);
    service.world.queue.unavailable = true;
    await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    service.world.queue.unavailable = false;
    await service.settle();
    expect(service.posts).toHaveLength(2);
    await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    service.world.queue.wipe();
    await replayDelivery(service.world, tenant, id, delivery?.id ?? '');
    await service.settle();
    expect(await log(service, id)).toMatchObject([{ state: 'delivered' }]);
    expect((await log(service, id))[0]?.attempts.filter(({ replay }) => replay)).toHaveLength(3);
  });

  test('to a disabled endpoint, to a deleted one, or of an event of another tenant is refused', async () => {
    const service = started();
    const { id } = await makeEndpoint(service.world, tenant);
    await runBatch(service);
    const eventId = (await log(service, id))[0]?.id ?? '';
    await expect(replayDelivery(service.world, 'other', id, eventId)).rejects.toMatchObject({ code: 'not_found' });
    await updateEndpoint(service.world, tenant, id, { enabled: false }, changeShare(service.world));
    await expect(replayDelivery(service.world, tenant, id, eventId)).rejects.toMatchObject({
      code: 'invalid_value',
      message: expect.stringContaining('Enable it first'),
    });
    await deleteEndpoint(service.world, tenant, id);
    await expect(replayDelivery(service.world, tenant, id, eventId)).rejects.toMatchObject({ code: 'not_found' });
    expect(service.posts).toHaveLength(1);
  });
});
