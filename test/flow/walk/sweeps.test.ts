import { describe, expect, test, vi } from 'vitest';
import { BatchRecords } from '../../../src/app/batch-records.js';
import { cancelBatch } from '../../../src/app/cancel-batch.js';
import { shardJobId } from '../../../src/app/jobs.js';
import { Janitor } from '../../../src/app/reconcile.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

const hourMs = 3_600_000;
/** Five shards. */
const lines = Array.from({ length: 300 }, (_, at) => completionLine(`line-${at}`, `prompt ${at}`));
const shards = 5;

async function planned(service: FakeService, batches: number): Promise<string[]> {
  const fileId = await service.upload(lines.join('\n'));
  const ids: string[] = [];
  for (let n = 0; n < batches; n++) ids.push((await service.create(fileId)).id);
  for (const id of ids)
    await service.world.clock.until('the plans', async () => (await service.view(id)).status === 'in_progress');
  return ids;
}

/** Two controls, batches that nobody works on, and the looks have become rare. */
async function quiet(batches: number): Promise<{ service: FakeService; ids: string[]; queued: () => string[] }> {
  const service = new FakeService();
  service.startControl();
  service.startControl();
  const ids = await planned(service, batches);
  await service.world.clock.advance(300_000);
  const added = vi.spyOn(service.world.queue, 'add');
  return { service, ids, queued: () => added.mock.calls.flatMap(([, jobs]) => jobs.map(({ id }) => id)) };
}

describe('sweeps while nothing happens', () => {
  test('queue nothing again, and cost a listing and a rare look at each batch, with two controls as with one', async () => {
    const { service, queued } = await quiet(10);
    const { store, queue, progress } = service.world;
    const asked = vi.spyOn(queue, 'missing');
    const noted = vi.spyOn(progress, 'noteWork');
    store.calls.length = 0;
    await service.world.clock.advance(hourMs);
    expect(queued()).toEqual([]);
    const sweeps = store.calls.filter(({ key }) => key === keys.openBatches).length;
    expect(sweeps).toBeGreaterThan(1000);
    expect(sweeps).toBeLessThanOrEqual(3601);
    const ofBatches = store.calls.filter(({ key }) => key.startsWith(`t/${tenant}/b/`));
    // Manifest, cancel and parts of each batch, every 45 to 60 s.
    expect(ofBatches.length).toBeLessThanOrEqual(10 * 3 * (3600 / 45));
    expect(ofBatches.length).toBeGreaterThan(10 * 3 * (3600 / 62));
    expect(asked.mock.calls.length).toBeLessThanOrEqual(sweeps + 10 * (3600 / 45));
    expect(noted.mock.calls.length).toBeLessThanOrEqual(10 * 7);
  });

  test('find every lost job, and queue no other', async () => {
    const { service, ids, queued } = await quiet(4);
    const lost = [
      ...ids.map((batchId) => shardJobId({ tenant, batchId }, 2)),
      shardJobId({ tenant, batchId: ids[0] ?? '' }, 4),
    ];
    for (const id of lost) await service.world.queue.remove('shard', id);
    await service.world.clock.advance(bounds.sweepLookMs + 2000);
    expect(queued().toSorted()).toEqual(lost.toSorted());
    await service.world.clock.advance(hourMs);
    expect(queued()).toHaveLength(lost.length);
  });

  test('rebuild the whole queue at the next sweep after it was emptied', async () => {
    const { service, ids, queued } = await quiet(4);
    service.world.queue.wipe();
    await service.world.clock.advance(2000);
    expect(queued().toSorted()).toEqual(
      ids.flatMap((batchId) => Array.from({ length: shards }, (_, n) => shardJobId({ tenant, batchId }, n))).toSorted(),
    );
  });

  test('see within a sweep or two that the last shard is done, although nobody told', async () => {
    const { service, ids } = await quiet(1);
    vi.spyOn(service.world.progress, 'record').mockResolvedValue(0);
    service.startGenerate();
    const parts = (): number => service.world.store.keys().filter((key) => key.includes('/parts/')).length;
    await service.world.clock.until('the last part', () => parts() === shards);
    const doneMs = service.world.clock.now();
    await service.untilEnd(ids[0] ?? '');
    expect(service.world.clock.now() - doneMs).toBeLessThanOrEqual(2500);
  });

  test('act on a cancel at once, and on an expiry when it has come', async () => {
    const { service, ids } = await quiet(2);
    const [cancelled = '', expired = ''] = ids;
    await cancelBatch(service.world, tenant, cancelled);
    await service.world.clock.advance(8000 + 3000);
    expect(await service.view(cancelled)).toMatchObject({ status: 'cancelled', request_counts: { failed: 300 } });
    expect((await service.view(expired)).status).toBe('in_progress');
    service.world.clock.jump(24 * hourMs - 600_000);
    await service.world.clock.advance(600_000);
    await service.world.clock.advance(8000 + 3000);
    expect(await service.view(expired)).toMatchObject({ status: 'expired' });
  });

  test('put jobs that keep getting lost back less and less often', async () => {
    const { service, queued } = await quiet(1);
    // Takes every job and leaves no part.
    service.world.queue.consume('shard', { concurrency: 8 }, () => Promise.resolve());
    await service.world.clock.advance(hourMs);
    expect(queued().length / shards).toBeLessThanOrEqual(3600 / 45 + 6);
    expect(queued().length / shards).toBeGreaterThan(3600 / 62);
  });

  test('are taken over when the control that makes them dies', async () => {
    const service = new FakeService();
    const kill = service.startControl();
    const [id = ''] = await planned(service, 1);
    service.startControl();
    await service.world.clock.advance(300_000);
    kill();
    await service.world.queue.remove('shard', shardJobId({ tenant, batchId: id }, 4));
    await service.world.clock.advance(bounds.sweepLeaseMsMin + 3000);
    expect(await service.world.queue.has('shard', shardJobId({ tenant, batchId: id }, 4))).toBe(true);
  });
});

describe('a sweep', () => {
  test('leaves the jobs of a plan to the planner as long as it is at it', async () => {
    const service = new FakeService();
    const { queue, clock } = service.world;
    const add = queue.add.bind(queue);
    const added = vi.spyOn(queue, 'add').mockImplementation(async (kind, jobs) => {
      if (kind === 'shard') await clock.sleep(120_000);
      return add(kind, jobs);
    });
    service.startControl();
    const { id } = await service.submit(lines);
    await clock.advance(110_000);
    expect((await service.view(id)).status).toBe('in_progress');
    await clock.advance(600_000);
    expect(added.mock.calls.filter(([kind]) => kind === 'shard')).toHaveLength(1);
  });

  test('hides the latency of the store, within a bound', async () => {
    const service = new FakeService();
    service.startControl();
    await planned(service, 100);
    service.stopControls();
    const { clock, store } = service.world;
    let open = 0;
    let most = 0;
    store.fault = () => {
      most = Math.max(most, ++open);
      void clock.sleep(19).then(() => open--);
      return { delayMs: 20 };
    };
    store.calls.length = 0;
    const started = clock.now();
    let ended = 0;
    const restarted = { ...service.world, records: new BatchRecords(store, service.world.clock) };
    void new Janitor(restarted).sweep().then(() => (ended = clock.now()));
    await clock.until('the sweep', () => ended > 0);
    expect(store.calls.length).toBeGreaterThan(500);
    expect(ended - started).toBeLessThan((store.calls.length * 20) / 20);
    expect(most).toBeGreaterThan(bounds.storeReadsAtOnce / 2);
    expect(most).toBeLessThanOrEqual(bounds.storeReadsAtOnce * 4);
  });

  test('gives shards up while the queue is away, and says so once', async () => {
    const { service, ids } = await quiet(5);
    const { queue, progress, clock, store, log } = service.world;
    queue.unavailable = true;
    progress.unavailable = true;
    clock.jump(24 * hourMs);
    const before = log.entries.length;
    await clock.advance(12_000);
    expect(store.keys().filter((key) => key.includes('/parts/'))).toHaveLength(ids.length * shards);
    const told = log.entries.slice(before).filter(({ event }) => event.startsWith('janitor.'));
    expect(new Set(told.map(({ event }) => event))).toEqual(new Set(['janitor.queue_away']));
    expect(told.length, 'one line a sweep').toBeLessThanOrEqual(13);
    queue.unavailable = false;
    progress.unavailable = false;
    for (const id of ids) expect(await service.untilEnd(id)).toMatchObject({ status: 'expired' });
  });

  test('gives up a bounded number of shards of a tenant, of however many batches', async () => {
    const service = new FakeService();
    service.startControl();
    // Each is a shard of its own.
    const large = { prompt: Array.from({ length: 10 }, () => 'a'), n: 16, max_tokens: 240 };
    const fileId = await service.upload(
      Array.from({ length: 300 }, (_, at) => completionLine(`line-${at}`, 'a', large)).join('\n'),
    );
    const { clock, store, world } = { ...service.world, world: service.world };
    const ids = [(await service.create(fileId)).id, (await service.create(fileId)).id];
    for (const id of ids) await clock.until('the plans', async () => (await service.view(id)).status === 'in_progress');
    service.stopControls();
    for (const id of ids) await cancelBatch(world, tenant, id);
    clock.jump(10_000);
    const parts = (): number => store.keys().filter((key) => key.includes('/parts/')).length;
    const janitor = new Janitor(world);
    await janitor.sweep();
    expect(parts()).toBe(bounds.giveUpsPerSweep);
    await janitor.sweep();
    expect(parts()).toBe(600);
  });

  test('writes nothing for a batch that was removed, whatever it remembers', async () => {
    const { service, ids, queued } = await quiet(1);
    const { store, clock } = service.world;
    const [id = ''] = ids;
    for (const key of store.keys()) if (key.startsWith(keys.batch(tenant, id))) await store.delete(key);
    service.world.queue.wipe();
    clock.jump(25 * hourMs);
    await clock.advance(2 * hourMs);
    expect(queued()).toEqual([]);
    expect(store.keys().filter((key) => key.startsWith(keys.batch(tenant, id)))).toEqual([]);
    expect(store.keys().filter((key) => key.startsWith(keys.openBatches))).toEqual([]);
  });
});

test('deliveries that wait are looked at side by side, and queued only when the queue lost them', async () => {
  const service = new FakeService({
    webhookUrl: 'https://example.com/hook',
    answer: () => ({ status: 500, error: null, retryAfterMs: null }),
  });
  service.startControl();
  service.startGenerate();
  const fileId = await service.upload(lines.slice(0, 1).join('\n'));
  for (let n = 0; n < 20; n++) await service.untilEnd((await service.create(fileId)).id);
  const { clock, queue, store } = service.world;
  await clock.advance(hourMs);
  service.stopControls();
  const added = vi.spyOn(queue, 'add');
  store.fault = () => ({ delayMs: 20 });
  let ended = 0;
  const startedMs = clock.now();
  void new Janitor(service.world).sweep().then(() => (ended = clock.now()));
  await clock.until('the sweep', () => ended > 0);
  expect(ended - startedMs).toBeLessThan(200);
  expect(added.mock.calls).toEqual([]);
  queue.wipe();
  const sweepAnew = async (): Promise<void> => {
    ended = 0;
    void new Janitor(service.world).sweep().then(() => (ended = clock.now()));
    await clock.until('the sweep', () => ended > 0);
  };
  await sweepAnew();
  expect(added.mock.calls, 'due in an hour only').toEqual([]);
  // The schedule's fourth attempt, with its spread.
  clock.jump(3 * hourMs);
  await sweepAnew();
  expect(added.mock.calls.flatMap(([, jobs]) => jobs)).toHaveLength(20);
});
