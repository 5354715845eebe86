import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { Metrics } from '../../../src/observe/metrics.js';
import type { WebhookAnswer } from '../../../src/ports/webhook-sender.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { testSecret } from '../../support/fake-world.js';
import { MemoryLog } from '../../support/memory-log.js';

const answer = (status: number | null, retryAfterMs: number | null = null): WebhookAnswer => ({
  status,
  error: status === null ? 'timeout' : null,
  retryAfterMs,
});

async function ended(answers: (attempt: number) => WebhookAnswer, metrics: Metrics | null = null) {
  let attempt = 0;
  const times: number[] = [];
  const service: FakeService = new FakeService({
    webhookUrl: 'https://example.com/hook',
    loopMs: 10 * 60 * 1000,
    answer: () => {
      times.push(service.world.clock.now());
      return answers(attempt++);
    },
  });
  service.startControl();
  service.startGenerate();
  const { log } = service.world;
  const counted = metrics?.watch(new MemoryLog());
  if (counted) log.info = (event, fields) => counted.info(event, fields);
  const { id } = await service.submit([completionLine('1', 'a')], { metadata: { run: 'x' } });
  await service.untilEnd(id);
  await service.world.clock.advance(5 * 24 * 3600 * 1000);
  return { service, id, times };
}

describe('webhooks', () => {
  test('tell the end once, signed, with counts and file ids and without content', async () => {
    const { service, id } = await ended(() => answer(204));
    expect(service.posts).toHaveLength(1);
    const [post] = service.posts;
    const headers: Readonly<Record<string, string>> = post?.headers ?? {};
    expect(JSON.parse(post?.body ?? '')).toMatchObject({
      object: 'event',
      type: 'batch.completed',
      data: { id, status: 'completed', request_counts: { total: 1, completed: 1, failed: 0 }, metadata: { run: 'x' } },
    });
    expect(post?.headers['webhook-id']).toBe((JSON.parse(post?.body ?? '') as { id: string }).id);
    // The verifier looks at the real clock, the fake world does not live in it.
    const webhook = new Webhook(testSecret);
    const signed = webhook.sign(
      headers['webhook-id'] ?? '',
      new Date(Number(headers['webhook-timestamp']) * 1000),
      post?.body ?? '',
    );
    expect(headers['webhook-signature']).toBe(signed);
  });

  test('are counted by what became of each attempt, those given up too', async () => {
    const metrics = new Metrics('control');
    const { service } = await ended(() => answer(500), metrics);
    expect(service.posts).toHaveLength(bounds.webhookRetryDelaysMs.length);
    const text = await metrics.text();
    expect(text).toContain('eyrie_webhook_attempts_total{outcome="gave_up",program="control"} 1');
    expect(text).toContain(
      `eyrie_webhook_attempts_total{outcome="will_retry",program="control"} ${service.posts.length - 1}`,
    );
    expect(text).not.toContain('outcome="delivered"');
  });

  test('are repeated on the schedule with one id until they are taken', async () => {
    const { service, times } = await ended((attempt) => answer(attempt < 3 ? 500 : 200));
    expect(times).toHaveLength(4);
    const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    gaps.forEach((gap, at) => expect(gap).toBeGreaterThanOrEqual(bounds.webhookRetryDelaysMs[at + 1] ?? Infinity));
    expect(new Set(service.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(service.posts.map(({ body }) => body)).size).toBe(1);
  });

  test('are given up after the schedule, three days later', async () => {
    const { service, times } = await ended(() => answer(null));
    expect(times).toHaveLength(bounds.webhookRetryDelaysMs.length);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(72 * 3600 * 1000);
    expect(service.world.store.keys().filter((key) => key.startsWith('notify/'))).toEqual([]);
  });

  test('stop at 410 and wait as long as Retry-After says', async () => {
    expect((await ended(() => answer(410))).times).toHaveLength(1);
    const { times } = await ended((attempt) => (attempt === 0 ? answer(503, 60_000) : answer(200)));
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(60_000);
  });

  test('go on after the queue was emptied', async () => {
    const service: FakeService = new FakeService({
      webhookUrl: 'https://example.com/hook',
      answer: () => answer(service.posts.length < 2 ? 500 : 200),
    });
    service.startControl();
    service.startGenerate();
    const { id } = await service.submit([completionLine('1', 'a')]);
    await service.untilEnd(id);
    await service.world.clock.until('the first attempt', () => service.posts.length === 1);
    service.world.queue.wipe();
    await service.world.clock.until('the second attempt', () => service.posts.length === 2, 60_000);
    expect(service.posts[1]?.headers['webhook-id']).toBe(service.posts[0]?.headers['webhook-id']);
  });

  test('a failed validation is told as batch.failed', async () => {
    const service = new FakeService({ webhookUrl: 'https://example.com/hook' });
    service.startControl();
    const { id } = await service.submit(['x']);
    await service.untilEnd(id);
    await service.settle();
    expect(service.posts.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual(['batch.failed']);
    expect(service.world.store.keys().filter((key) => key.startsWith(`open/${tenant}`))).toEqual([]);
  });
});
