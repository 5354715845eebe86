import { expect, test } from 'vitest';
import { publishEvent, queueFirstAttempts } from '../../../src/app/webhooks/publish-event.js';
import { sampleEvent } from '../../../src/app/webhooks/sample-event.js';
import { listDeliveries } from '../../../src/app/webhooks/list-deliveries.js';
import { replayDelivery } from '../../../src/app/webhooks/replay-delivery.js';
import type { CreateBatchRequest } from '../../../src/contract/create-batch.js';
import type { Receiver } from '../../../src/contract/stored-webhooks.js';
import { bounds } from '../../../src/domain/bounds.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { eventOf, makeEndpoint } from '../../support/webhook-calls.js';

const ok = { status: 200, error: null, retryAfterMs: null };

test('an endpoint that hangs takes its own lane, and holds up no other', async () => {
  let hanging = 0;
  let hangingMost = 0;
  const healthyAt: number[] = [];
  const service: FakeService = new FakeService({
    answerMs: ({ url }) => {
      if (!url.endsWith('/dead')) {
        healthyAt.push(service.world.clock.now());
        return 0;
      }
      hangingMost = Math.max(hangingMost, ++hanging);
      return bounds.webhookTimeoutMs;
    },
    answer: ({ url }) => {
      if (!url.endsWith('/dead')) return ok;
      hanging--;
      return { status: null, error: 'timeout', retryAfterMs: null };
    },
  });
  service.startControl();
  service.startGenerate();
  const dead = await makeEndpoint(service.world, tenant, { url: 'https://example.com/dead' });
  await makeEndpoint(service.world, tenant, { url: 'https://example.com/healthy' });
  const ids = await Promise.all(
    Array.from({ length: 40 }, async () => (await service.submit([completionLine('1', 'a')])).id),
  );
  for (const id of ids) await service.untilEnd(id);
  const endedMs = service.world.clock.now();
  await service.world.clock.until('the healthy endpoint to be told', () => healthyAt.length === ids.length, 600_000);
  expect(Math.max(...healthyAt) - endedMs).toBeLessThan(1000);
  await service.world.clock.advance(10 * 60 * 1000);
  expect(hangingMost).toBeLessThanOrEqual(bounds.webhookPostsPerEndpoint);
  // Nobody who stepped aside was forgotten.
  const { data } = await listDeliveries(service.world.store, tenant, dead.id, { after: null, limit: 100 });
  expect(data).toHaveLength(ids.length);
  expect(data.filter(({ attempts }) => attempts.length < 2)).toEqual([]);
});

test('fifty endpoints that hang and many batches do not delay another tenant', async () => {
  const late: number[] = [];
  const asked = new Map<string, number>();
  const hanging = new Map<string, number>();
  let most = 0;
  const service: FakeService = new FakeService({
    loopMs: 5000,
    answerMs: ({ tenant: poster, url }) => {
      if (poster === 'alice') {
        late.push(service.world.clock.now() - (asked.get(url) ?? 0));
        return 0;
      }
      hanging.set(poster, (hanging.get(poster) ?? 0) + 1);
      most = Math.max(most, hanging.get(poster) ?? 0);
      return bounds.webhookTimeoutMs;
    },
    answer: ({ tenant: poster }) => {
      if (poster === 'alice') return ok;
      hanging.set(poster, (hanging.get(poster) ?? 0) - 1);
      return { status: null, error: 'timeout', retryAfterMs: null };
    },
  });
  service.startControl();
  const { world } = service;
  const publish = async (poster: string, receivers: readonly Receiver[]): Promise<void> => {
    const event = sampleEvent(world.ids.next('event'), 'batch.completed', world.clock.now());
    const published = await publishEvent(world, {
      tenant: poster,
      event,
      createdMs: world.clock.now(),
      batchId: null,
      receivers,
      retry: 'schedule',
    });
    if (published) await queueFirstAttempts(world, published);
  };
  const toUrl = (poster: string, n: number): Receiver => ({
    kind: 'batch',
    id: `we_${poster}${n}`,
    url: `https://${poster}.example/${n}`,
  });
  for (const poster of ['mallory'])
    for (let batch = 0; batch < 24; batch++)
      await publish(
        poster,
        Array.from({ length: 50 }, (_, n) => toUrl(poster, n)),
      );
  for (let n = 0; n < 8; n++) {
    const receiver = toUrl('alice', n % 3);
    asked.set(`https://alice.example/${n % 3}`, world.clock.now());
    await publish('alice', [receiver]);
    await world.clock.advance(1500);
  }
  expect(late).toHaveLength(8);
  expect(Math.max(...late)).toBeLessThanOrEqual(1000);
  expect(most).toBeLessThanOrEqual(bounds.webhookPostsPerTenant);
  expect(world.refusals.counts().get('webhookWaitingPerTenant')).toBeGreaterThan(0);
});

test('progress is told to those who ask, at most every 30 s and every 5 %, and not after the end', async () => {
  const service = new FakeService({ sequenceMs: 20_000, loopMs: 5000 });
  service.startControl();
  service.startControl();
  service.startGenerate();
  await makeEndpoint(service.world, tenant, { events: ['batch.progress'] });
  await makeEndpoint(service.world, tenant, { url: 'https://example.com/end' });
  const lines = Array.from({ length: 2000 }, (_, at) => completionLine(String(at), 'a'));
  const { id } = await service.submit(lines);
  await service.untilEnd(id);
  await service.settle();
  const news = service.posts
    .filter(({ url }) => url.endsWith('/stored'))
    .map((post) => ({ post, event: eventOf(post) }));
  expect(news.length).toBeGreaterThan(3);
  const times = news.map(({ post }) => Number(post.headers['webhook-timestamp']));
  times.slice(1).forEach((time, at) => expect(time - (times[at] ?? 0)).toBeGreaterThanOrEqual(30));
  const done = news.map(({ event }) => (event.data['request_counts'] as { completed: number }).completed);
  expect(done.toSorted((a, b) => a - b)).toEqual(done);
  expect(new Set(done.map((count) => Math.floor(count / 100))).size).toBe(done.length);
  expect(new Set(news.map(({ event }) => event.id)).size).toBe(news.length);
  for (const { event } of news)
    expect(event).toMatchObject({ type: 'batch.progress', data: { id, status: 'in_progress' } });
  expect(service.posts.filter(({ url }) => url.endsWith('/end'))).toHaveLength(1);
});

test('an endpoint that fails for days costs no reads between its attempts', async () => {
  const service = new FakeService({ answer: () => ({ ...ok, status: 500 }), loopMs: 60_000 });
  service.startControl();
  service.startGenerate();
  await makeEndpoint(service.world, tenant);
  for (let n = 0; n < 5; n++) await service.untilEnd((await service.submit([completionLine('1', 'a')])).id);
  await service.world.clock.advance(3 * 3600 * 1000);
  service.world.store.calls.length = 0;
  await service.world.clock.advance(3600 * 1000);
  const reads = service.world.store.calls.filter(
    ({ operation, key }) => operation === 'get' && key.includes('/events/'),
  );
  expect(reads.length).toBeLessThan(20);
  expect(service.world.store.calls.filter(({ key }) => key === 'notify/').length).toBeGreaterThan(50);
});

// A crash right before or right after each write of a replay: once asked for, it is made.
test.each(['before', 'after'] as const)(
  'a replay survives any single write that fails %s it was done',
  async (when) => {
    for (let failing = 0; ; failing++) {
      const service = new FakeService();
      const kill = service.startControl();
      service.startGenerate();
      const { id } = await makeEndpoint(service.world, tenant);
      await service.untilEnd((await service.submit([completionLine('1', 'a')])).id);
      await service.settle();
      const [delivery] = (await listDeliveries(service.world.store, tenant, id, { after: null, limit: 1 })).data;
      let writes = 0;
      let failed = false;
      service.world.store.fault = ({ operation }) => {
        if (!['create', 'put', 'delete'].includes(operation) || writes++ !== failing) return undefined;
        failed = true;
        return { fail: when, error: new EyrieError('store_unavailable', 'A fault of the test.') };
      };
      const asked = await replayDelivery(service.world, tenant, id, delivery?.id ?? '').then(
        () => true,
        () => false,
      );
      kill();
      service.world.queue.wipe();
      service.startControl();
      await service.settle();
      const [after] = (await listDeliveries(service.world.store, tenant, id, { after: null, limit: 1 })).data;
      expect(after).toMatchObject({ id: delivery?.id, state: 'delivered' });
      if (asked) expect(after?.attempts.filter(({ replay }) => replay).length).toBeGreaterThanOrEqual(1);
      expect(service.world.store.keys().filter((key) => /^notify\/|\/replays\//.test(key))).toEqual([]);
      expect(new Set(service.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
      if (!failed) {
        expect(failing).toBeGreaterThan(4);
        return;
      }
    }
  },
);

test('a control that is killed between the answer and its record sends the event again, with the same id', async () => {
  const service = new FakeService({ answerMs: () => 2000 });
  const kill = service.startControl();
  service.startGenerate();
  const { id } = await makeEndpoint(service.world, tenant);
  await service.untilEnd((await service.submit([completionLine('1', 'a')])).id);
  await service.world.clock.until('the post', () => service.posts.length === 1);
  service.world.store.fault = ({ operation, key }) =>
    operation === 'put' && key.includes('/deliveries/') ? { fail: 'before' } : undefined;
  kill();
  await service.world.clock.advance(3000);
  service.world.store.fault = () => undefined;
  service.startControl();
  await service.settle();
  expect(service.posts).toHaveLength(2);
  expect(new Set(service.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  const { data } = await listDeliveries(service.world.store, tenant, id, { after: null, limit: 10 });
  expect(data).toMatchObject([{ state: 'delivered', attempts: [{ status: 200 }] }]);
});

test('a batch that is expected too late is told once, again after the risk was over, and not when it has ended', async () => {
  const service = new FakeService();
  const { progress, clock } = service.world;
  service.startControl();
  service.startControl();
  await makeEndpoint(service.world, tenant, { events: ['batch.at_risk'] });
  const speed = (tokensPerSecond: number) =>
    progress.reportWorker('w', { tokensPerSecond, slots: 32, prefillTokens: 512 });
  const lines = Array.from({ length: 128 }, (_, at) => completionLine(String(at), 'x'.repeat(10)));
  const deadline = Math.floor(clock.now() / 1000) + 3600;
  const eyrie = { deadline } as NonNullable<CreateBatchRequest['eyrie']>;
  await speed(100);
  const { id } = await service.submit(lines, { eyrie });
  await clock.advance(60_000);
  expect(service.posts, 'in time').toEqual([]);
  for (const tokensPerSecond of [1, 2.2, 1]) {
    await speed(tokensPerSecond);
    await clock.advance(60_000);
  }
  expect(service.posts, 'an estimate about the deadline is no end of the risk').toHaveLength(1);
  await speed(100);
  await clock.advance(60_000);
  await speed(1);
  await clock.advance(60_000);
  expect(service.posts).toHaveLength(2);
  expect(new Set(service.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
  for (const event of service.posts.map(eventOf)) {
    expect(event).toMatchObject({ type: 'batch.at_risk', data: { id, deadline } });
    expect(event.data['estimated_completion_at']).toBeGreaterThan(deadline);
  }
  service.startGenerate();
  await service.untilEnd(id);
  await service.settle();
  expect(service.posts).toHaveLength(2);
});
