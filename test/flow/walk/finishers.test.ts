import { expect, test } from 'vitest';
import { findManifest } from '../../../src/app/batch-records.js';
import { finishBatch } from '../../../src/app/finish-batch.js';
import { encodePart } from '../../../src/app/part.js';
import { planBatch } from '../../../src/app/plan-batch.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { putJson } from '../../../src/app/stored-json.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { Downloads } from '../../support/downloads.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { mend, stopAtWrite } from '../../support/store-faults.js';

const isBad = (at: number): boolean => at % 5 === 2;
const lines = Array.from({ length: 150 }, (_, at) =>
  completionLine(`line-${at}`, `p${at}`, isBad(at) ? { n: 99 } : {}),
);

/** A batch whose shards are all decided, and nobody who finishes it. */
async function decided() {
  const service = new FakeService();
  const { world } = service;
  service.startGenerate();
  const { id: batchId } = await service.submit(lines);
  await planBatch({ ...world, tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() }, { tenant, batchId });
  const parts = (): number => world.store.keys().filter((key) => key.includes(`${batchId}/parts/`)).length;
  await world.clock.until('all shards', () => parts() === 3);
  const finish = (): Promise<void> => finishBatch(world, { tenant, batchId });
  return { service, world, batchId, finish };
}

async function expectResults({ service, world, batchId }: Awaited<ReturnType<typeof decided>>): Promise<void> {
  const manifest = await findManifest(world.store, tenant, batchId);
  expect(manifest).toMatchObject({ counts: { total: 150, completed: 120, failed: 30 } });
  const downloads = new Downloads(world);
  for (const kind of ['output', 'errors'] as const) {
    const named = manifest?.[kind];
    const text = (await downloads.read(named?.fileId ?? '')).toString();
    expect(text).toBe(world.store.text(named?.key ?? ''));
    expect(service.results(batchId, kind).map(({ custom_id }) => custom_id)).toEqual(
      lines.flatMap((_, at) => (isBad(at) === (kind === 'errors') ? [`line-${at}`] : [])),
    );
    expect(named?.lines).toBe(text.split('\n').length - 1);
  }
  await downloads.close();
}

/** Keys of result files and their records that no manifest names, and of the agenda. */
async function leftovers({ world, batchId }: Awaited<ReturnType<typeof decided>>): Promise<readonly string[]> {
  const manifest = await findManifest(world.store, tenant, batchId);
  const named = [manifest?.output?.fileId, manifest?.errors?.fileId];
  const all = world.store.keys().filter((key) => {
    if (key.startsWith('agenda/') || key.includes('/out/')) return true;
    return key.endsWith('/file.json') && world.store.text(key)?.includes('batch_output') === true;
  });
  return all.filter((key) => !named.some((fileId) => fileId !== undefined && key.includes(fileId)));
}

test('finishers side by side give one pair of files, and remove the others', async () => {
  const batch = await decided();
  await Promise.all([batch.finish(), batch.finish(), batch.finish()]);
  await expectResults(batch);
  expect(await leftovers(batch)).toEqual([]);
  expect(batch.world.log.of('batch.finished')).toHaveLength(1);
});

test('a finisher that was slow changes nothing of what another has finished', async () => {
  const batch = await decided();
  const { store, clock } = batch.world;
  store.fault = ({ operation }) => (operation === 'putStream' ? { delayMs: 60_000 } : undefined);
  const slow = batch.finish();
  await clock.advance(0);
  mend(store);
  await batch.finish();
  const before = await findManifest(store, tenant, batch.batchId);
  await clock.advance(120_000);
  await slow;
  expect(await findManifest(store, tenant, batch.batchId)).toEqual(before);
  await expectResults(batch);
  expect(await leftovers(batch)).toEqual([]);
});

test('files that wait for a slow manifest are not swept away under it', async () => {
  const batch = await decided();
  const { store, clock } = batch.world;
  const delayMs = bounds.resultLeftoverMs + 60_000;
  store.fault = ({ operation, key }) =>
    operation === 'create' && key.endsWith('/manifest.json') ? { delayMs } : undefined;
  const slow = batch.finish();
  await clock.advance(bounds.resultLeftoverMs + 1000);
  await sweepRetention(batch.world);
  await clock.advance(60_000);
  await slow;
  await expectResults(batch);
});

test('a manifest whose write seems to have been lost is not taken for that of another', async () => {
  const batch = await decided();
  const { store } = batch.world;
  const create = store.create.bind(store);
  // As of a server that keeps no metadata: a write that was repeated meets itself and does not know it.
  store.create = async (key, bytes) => {
    const result = await create(key, bytes);
    return key.endsWith('/manifest.json') ? { created: false } : result;
  };
  await batch.finish();
  await expectResults(batch);
});

for (const when of ['before', 'after'] as const)
  test(`what a finisher leaves that stops ${when} any write is gone in the end`, async () => {
    for (let at = 0; ; at++) {
      const batch = await decided();
      const { world } = batch;
      const crash = stopAtWrite(world.store, at, when);
      await batch.finish().catch(() => undefined);
      mend(world.store);
      const early = await leftovers(batch);
      // The sweep comes by while the batch has not ended, and while another finisher is at work.
      world.clock.jump(bounds.resultLeftoverMs + 1000);
      await sweepRetention(world);
      await batch.finish();
      await expectResults(batch);
      world.clock.jump(bounds.removalRetryMs + 1000);
      await sweepRetention(world);
      await expectResults(batch);
      expect(await leftovers(batch), `write ${at}, which left ${early.length}`).toEqual([]);
      if (!crash.stopped()) {
        expect(at).toBeGreaterThan(8);
        return;
      }
    }
  });

test('a part that was cut, in a line or between two, ends the attempt with an error, and nothing is left', async () => {
  for (const lose of [1, 200, (part: string) => part.length - part.lastIndexOf('\n', part.length - 2) - 1]) {
    const batch = await decided();
    const { store } = batch.world;
    const key = keys.part(tenant, batch.batchId, 1);
    const part = store.text(key) ?? '';
    await store.put(key, Buffer.from(part.slice(0, -(typeof lose === 'number' ? lose : lose(part)))));
    await expect(batch.finish()).rejects.toMatchObject({ code: 'internal_error' });
    expect(await leftovers(batch)).toEqual([]);
  }
});

test(
  '10,000 parts are finished within seconds of a store that takes 20 ms for everything',
  { timeout: 60_000 },
  async () => {
    const service = new FakeService();
    const { store, clock } = service.world;
    const shards = 10_000;
    const { id: batchId } = await service.submit(['{}']);
    const shapes = { useful_tokens: 1, padded_prefill_tokens: 0, idle_slot_steps: 0, overrun_tokens: 0 };
    const line = (n: number) => ({ ok: n % 100 > 0, json: `{"n":${n}}`, inputTokens: 1, outputTokens: 1 });
    for (let n = 0; n < shards; n++) {
      const summary = { shard: n, verdict: null, shapes, worker: 'w', startedMs: 1, finishedMs: 2 };
      await store.put(keys.part(tenant, batchId, n), encodePart(summary, [line(n)]).bytes);
    }
    await putJson(store, keys.plan(tenant, batchId), {
      v: 1,
      kind: 'work',
      plannedMs: 0,
      endpoint: '/v1/completions',
      model: 'test/falcon',
      lines: shards,
      tokens: shards,
      shards: Array.from({ length: shards }, (_, n) => ({
        n,
        byteStart: n,
        byteEnd: n + 1,
        firstLine: n,
        count: 1,
        tokens: 1,
        sha256: '',
        rejected: [],
      })),
    });
    let reads = 0;
    store.fault = ({ operation, key }) => {
      if (operation === 'get' && key.includes('/parts/')) reads++;
      return { delayMs: 20 };
    };
    const started = clock.monotonic();
    let done = false;
    const finishing = finishBatch(service.world, { tenant, batchId }).then(() => (done = true));
    await clock.until('the batch is finished', () => done);
    await finishing;
    expect(clock.monotonic() - started).toBeLessThan(5000);
    expect(reads, 'each part is read once').toBe(shards);
    mend(store);
    const manifest = await findManifest(store, tenant, batchId);
    expect(manifest).toMatchObject({ counts: { completed: 9900, failed: 100 }, output: { lines: 9900 } });
    const numbers = (store.text(manifest?.output?.key ?? '') ?? '').match(/\d+/g)?.map(Number) ?? [];
    expect(numbers).toEqual(Array.from({ length: shards }, (_, n) => n).filter((n) => n % 100 > 0));
  },
);
