import { afterEach, describe, expect, test, vi } from 'vitest';
import { deleteEndpoint } from '../../../src/app/webhooks/delete-endpoint.js';
import { deliveriesOfBatch } from '../../../src/app/webhooks/list-deliveries.js';
import { loadEndpoint } from '../../../src/app/webhooks/endpoint-revisions.js';
import { replayDelivery } from '../../../src/app/webhooks/replay-delivery.js';
import { rotateSecret } from '../../../src/app/webhooks/rotate-secret.js';
import { changeShare } from '../../../src/app/webhooks/change-share.js';
import { updateEndpoint } from '../../../src/app/webhooks/update-endpoint.js';
import type { CreateBatchRequest } from '../../../src/contract/create-batch.js';
import { bounds } from '../../../src/domain/bounds.js';
import { completionLine, tenant } from '../../support/fake-service.js';
import { eventOf, makeEndpoint } from '../../support/webhook-calls.js';
import { answer, hourMs, log, runBatch, started, verifyAt } from '../../support/webhook-walk.js';

/** The part of a create call that names a URL of the batch's own. */
const ownUrl = (url: string) => ({ webhook: { url } }) as NonNullable<CreateBatchRequest['eyrie']>;

afterEach(() => void vi.useRealTimers());

describe('an endpoint', () => {
  test('is told of the end of a batch beside the one of the tenants file, each signed with its own secret', async () => {
    const service = started({ webhookUrl: 'https://example.com/configured' });
    const endpoint = await makeEndpoint(service.world, tenant);
    const id = await runBatch(service);
    expect(service.posts.map(({ url }) => url).toSorted()).toEqual([
      'https://example.com/configured',
      'https://example.com/stored',
    ]);
    const [ofConfigured, ofStored] = service.posts.toSorted((a, b) => (a.url < b.url ? -1 : 1));
    if (!ofConfigured || !ofStored) throw new Error('unreachable');
    expect(ofStored.body).toBe(ofConfigured.body);
    expect(eventOf(ofStored)).toMatchObject({
      type: 'batch.completed',
      data: { id, status: 'completed', usage: { total_tokens: expect.any(Number) } },
    });
    expect(await verifyAt(ofStored, endpoint.secret)).toBe('batch.completed');
    await expect(verifyAt(ofConfigured, endpoint.secret)).rejects.toThrow();
  });

  test('hears what it asks for, when it asks for it', async () => {
    const service = started();
    await makeEndpoint(service.world, tenant, { url: 'https://example.com/failed', events: ['batch.failed'] });
    await makeEndpoint(service.world, tenant, { url: 'https://example.com/off', enabled: false });
    const { id } = await service.submit([completionLine('1', 'a')]);
    await makeEndpoint(service.world, tenant, { url: 'https://example.com/late' });
    await service.untilEnd(id);
    await service.settle();
    await makeEndpoint(service.world, tenant, { url: 'https://example.com/too-late' });
    await runBatch(service, ['not a request']);
    expect(service.posts.map((post) => [post.url, eventOf(post).type])).toEqual([
      ['https://example.com/late', 'batch.completed'],
      ['https://example.com/too-late', 'batch.failed'],
      ['https://example.com/late', 'batch.failed'],
      ['https://example.com/failed', 'batch.failed'],
    ]);
    const failure = service.posts.map(eventOf).find(({ type }) => type === 'batch.failed');
    expect(failure?.data).toMatchObject({ errors: [{ code: 'invalid_json_line', line: 1 }], errors_total: 1 });
  });

  test('of another tenant hears nothing', async () => {
    const service = started();
    await makeEndpoint(service.world, 'other');
    await runBatch(service);
    expect(service.posts).toEqual([]);
  });

  test('that was deleted or disabled gets nothing of what is on its way', async () => {
    const service = started({ answer: () => answer(500) });
    const deleted = await makeEndpoint(service.world, tenant, { url: 'https://example.com/deleted' });
    const disabled = await makeEndpoint(service.world, tenant, { url: 'https://example.com/disabled' });
    const { id } = await service.submit([completionLine('1', 'a')]);
    await service.untilEnd(id);
    await service.world.clock.until('the first attempts', () => service.posts.length === 2);
    await deleteEndpoint(service.world, tenant, deleted.id);
    await updateEndpoint(service.world, tenant, disabled.id, { enabled: false }, changeShare(service.world));
    await service.settle();
    expect(service.posts).toHaveLength(2);
    expect((await deliveriesOfBatch(service.world, tenant, id)).data).toMatchObject([
      { endpoint_id: disabled.id, state: 'failed', reason: 'the endpoint is disabled', next_attempt_at: null },
      { endpoint_id: deleted.id, state: 'failed', reason: 'the endpoint was deleted', next_attempt_at: null },
    ]);
    expect(service.world.store.keys().filter((key) => key.startsWith('notify/'))).toEqual([]);
  });

  test('that is moved gets the next attempt at its new URL', async () => {
    const service = started({ answer: ({ url }) => answer(url.endsWith('/new') ? 200 : 500) });
    const { id } = await makeEndpoint(service.world, tenant);
    const batch = await service.submit([completionLine('1', 'a')]);
    await service.untilEnd(batch.id);
    await service.world.clock.until('the first attempt', () => service.posts.length === 1);
    await updateEndpoint(service.world, tenant, id, { url: 'https://example.com/new' }, changeShare(service.world));
    await service.settle();
    expect(service.posts.map(({ url }) => url)).toEqual(['https://example.com/stored', 'https://example.com/new']);
  });

  test('that answers 410 is disabled, and nobody else is', async () => {
    const service = started({ answer: ({ url }) => answer(url.endsWith('/gone') ? 410 : 200) });
    const gone = await makeEndpoint(service.world, tenant, { url: 'https://example.com/gone' });
    const other = await makeEndpoint(service.world, tenant);
    await runBatch(service);
    await runBatch(service);
    expect(service.posts.filter(({ url }) => url.endsWith('/gone'))).toHaveLength(1);
    expect(await loadEndpoint(service.world.store, tenant, gone.id)).toMatchObject({ disabled: 'gone' });
    expect(await loadEndpoint(service.world.store, tenant, other.id)).toMatchObject({ disabled: null });
    expect(await log(service, gone.id)).toMatchObject([{ state: 'failed', status: 410 }]);
    expect(await log(service, other.id)).toHaveLength(2);
  });

  test('that nothing reaches for five days is disabled; success in between begins anew', async () => {
    let works = false;
    const service = started({ answer: () => answer(works ? 200 : 500), loopMs: hourMs / 2 });
    const { id } = await makeEndpoint(service.world, tenant);
    const isEnabled = async () => (await loadEndpoint(service.world.store, tenant, id)).disabled === null;
    const days = (count: number) => service.world.clock.advance(count * 24 * hourMs);
    await runBatch(service);
    await days(4);
    works = true;
    await runBatch(service);
    works = false;
    await runBatch(service);
    await days(2);
    expect(await isEnabled(), 'six days after the first failure').toBe(true);
    await runBatch(service);
    await days(4);
    expect(await isEnabled(), 'six days without success').toBe(false);
    expect(await loadEndpoint(service.world.store, tenant, id)).toMatchObject({ disabled: 'failing' });
    works = true;
    await updateEndpoint(service.world, tenant, id, { enabled: true }, changeShare(service.world));
    await runBatch(service);
    expect((await log(service, id))[0]).toMatchObject({ state: 'delivered' });
  });
});

describe('rotation', () => {
  test('both secrets verify for a day, then the new one alone', async () => {
    const service = started({ loopMs: hourMs / 6 });
    const endpoint = await makeEndpoint(service.world, tenant);
    const rotated = await rotateSecret(service.world, tenant, endpoint.id, bounds.webhookSecretOverlapSeconds);
    expect(rotated.secret).not.toBe(endpoint.secret);
    await runBatch(service);
    await service.world.clock.advance(24 * hourMs);
    await runBatch(service);
    const [during, after] = service.posts;
    if (!during || !after) throw new Error('two posts are expected');
    expect(during.headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    expect(await verifyAt(during, endpoint.secret)).toBe('batch.completed');
    expect(await verifyAt(during, rotated.secret)).toBe('batch.completed');
    expect(await verifyAt(after, rotated.secret)).toBe('batch.completed');
    await expect(verifyAt(after, endpoint.secret)).rejects.toThrow();
  });

  test('a leaked secret can be ended at once', async () => {
    const service = started();
    const endpoint = await makeEndpoint(service.world, tenant);
    await rotateSecret(service.world, tenant, endpoint.id, 0);
    await runBatch(service);
    const [post] = service.posts;
    if (!post) throw new Error('a post is expected');
    await expect(verifyAt(post, endpoint.secret)).rejects.toThrow();
  });

  test('again and again keeps a bounded number of secrets, and none beyond its end', async () => {
    const { world } = started();
    const { id } = await makeEndpoint(world, tenant);
    for (let n = 1; n < bounds.webhookSecretsMax; n++) await rotateSecret(world, tenant, id, 3600);
    await expect(rotateSecret(world, tenant, id, 3600)).rejects.toMatchObject({ code: 'invalid_value' });
    await world.clock.advance(hourMs);
    await rotateSecret(world, tenant, id, 3600);
    expect((await loadEndpoint(world.store, tenant, id)).secrets).toHaveLength(2);
  });
});

test('the URL that a batch names gets its events, which can be looked up and replayed by the batch', async () => {
  const service = started({ webhookUrl: 'https://example.com/configured' });
  const { id } = await service.submit([completionLine('1', 'a')], {
    eyrie: ownUrl('https://example.com/own'),
  });
  await service.untilEnd(id);
  await service.settle();
  const deliveries = (await deliveriesOfBatch(service.world, tenant, id)).data;
  expect(deliveries).toMatchObject([{ endpoint_id: 'we_1', state: 'delivered' }, { state: 'delivered' }]);
  const own = deliveries[1];
  await replayDelivery(service.world, tenant, own?.endpoint_id ?? '', own?.id ?? '');
  await service.settle();
  expect(service.posts.filter(({ url }) => url.endsWith('/own'))).toHaveLength(2);
  expect(await log(service, 'we_1')).toHaveLength(1);
});

test('a URL that a batch names is checked when the batch is made', async () => {
  const service = started();
  const fileId = await service.upload(completionLine('1', 'a'));
  await expect(service.create(fileId, { eyrie: ownUrl('https://private.example.com/') })).rejects.toMatchObject({
    code: 'invalid_value',
    param: 'eyrie.webhook.url',
  });
});

test('every event is under 20 kB, whatever metadata and errors hold', async () => {
  const service = started();
  await makeEndpoint(service.world, tenant);
  const metadata = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`k${n}`, '鷲'.repeat(512)]));
  const { id } = await service.submit([completionLine('1', 'a')], { metadata });
  await service.untilEnd(id);
  const failing = Array.from({ length: 200 }, (_, n) =>
    completionLine(`\u{1f985}${n}`.repeat(60), 'a', { model: 'x'.repeat(400) }),
  );
  await service.untilEnd((await service.submit(failing, { metadata: { a: 'b' } })).id);
  await service.settle();
  expect(service.posts).toHaveLength(2);
  for (const { body } of service.posts) expect(Buffer.byteLength(body)).toBeLessThan(20_000);
  expect(service.posts.map((post) => eventOf(post).data)).toMatchObject([{ metadata: null }, { metadata: { a: 'b' } }]);
});

test('a dropped file that becomes no batch is told to endpoints that ask for it, once', async () => {
  const service = started();
  await makeEndpoint(service.world, tenant, { events: ['inbox.rejected'] });
  await makeEndpoint(service.world, tenant, { url: 'https://example.com/other' });
  await service.world.store.put(`inbox/${tenant}/notes.txt`, Buffer.from('x'));
  await service.settle();
  service.startControl();
  await service.settle();
  expect(service.posts.map(({ url }) => url)).toEqual(['https://example.com/stored']);
  const [event] = service.posts.map(eventOf);
  expect(event).toMatchObject({
    type: 'inbox.rejected',
    data: {
      id: expect.stringMatching(/^drop_/),
      key: `inbox/${tenant}/notes.txt`,
      code: 'unsupported_value',
      bytes: 1,
    },
  });
  expect(service.world.store.text(String(event?.data['rejected_key']))).toContain('unsupported_value');
});
