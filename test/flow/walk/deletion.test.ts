import { describe, expect, test } from 'vitest';
import { cancelBatch } from '../../../src/app/cancel-batch.js';
import { deleteBatch } from '../../../src/app/delete-batch.js';
import { deleteFile } from '../../../src/app/files/delete-file.js';
import { findFile } from '../../../src/app/files/find-file.js';
import { listFiles } from '../../../src/app/files/list-files.js';
import { listBatches } from '../../../src/app/list-batches.js';
import { readResults } from '../../../src/app/read-results.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import type { BatchObject } from '../../../src/contract/batch-object.js';
import { keys } from '../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { mend, stopAtWrite } from '../../support/store-faults.js';

const lines = [completionLine('a', 'sesame one'), completionLine('b', 'sesame two', { temperature: 9 })];
const newest = { after: null, limit: 100, order: 'desc' } as const;

async function ended(options: ConstructorParameters<typeof FakeService>[0] = {}) {
  const service = new FakeService({ loopMs: 30_000, ...options });
  service.startControl();
  service.startGenerate();
  const batch = await service.untilEnd((await service.submit(lines)).id);
  await service.world.clock.advance(60_000);
  return { service, batch };
}

const filesOf = (batch: BatchObject): string[] => [batch.output_file_id ?? '', batch.error_file_id ?? ''];
const keysOf = (service: FakeService, batchId: string): readonly string[] =>
  service.world.store.keys().filter((key) => key.includes(batchId));

async function expectGone(service: FakeService, batch: BatchObject): Promise<void> {
  const { world } = service;
  const unknown = `No batch found with id '${batch.id}'.`;
  await expect(service.view(batch.id)).rejects.toMatchObject({ code: 'not_found', message: unknown });
  await expect(readResults(world, tenant, batch.id, { after: null, limit: 10, merge: false })).rejects.toMatchObject({
    code: 'not_found',
    message: unknown,
  });
  await expect(cancelBatch(world, tenant, batch.id)).rejects.toMatchObject({ code: 'not_found' });
  for (const fileId of filesOf(batch)) expect(await findFile(world, tenant, fileId)).toBeNull();
  expect((await listBatches(world, tenant, newest)).data).toEqual([]);
  expect((await listFiles(world, tenant, { ...newest, purpose: 'batch_output' })).data).toEqual([]);
}

describe('a deleted batch', () => {
  test('is gone at once, its results too; then its bytes go, and the input stays', async () => {
    const { service, batch } = await ended();
    expect(filesOf(batch)).not.toContain('');
    await deleteBatch(service.world, tenant, batch.id);
    await expectGone(service, batch);
    await service.world.clock.advance(200_000);
    expect(keysOf(service, batch.id)).toEqual([keys.batchDeleted(tenant, batch.id)]);
    expect(await findFile(service.world, tenant, batch.input_file_id)).not.toBeNull();
    await expectGone(service, batch);
    await service.world.clock.advance(26 * 3600 * 1000);
    for (const fileId of filesOf(batch)) expect(keysOf(service, fileId), 'not even a tombstone').toEqual([]);
    expect(service.world.store.keys().filter((key) => key.startsWith('agenda/'))).toEqual([]);
  });

  test('can be deleted again, before and after its bytes went', async () => {
    const { service, batch } = await ended();
    for (const later of [0, 0, 200_000, 23 * 3600 * 1000]) {
      await service.world.clock.advance(later);
      await deleteBatch(service.world, tenant, batch.id);
    }
    await expectGone(service, batch);
  });

  test('must have ended, and be the own one', async () => {
    const service = new FakeService();
    service.startControl();
    const { id } = await service.submit(lines);
    await expect(deleteBatch(service.world, tenant, id)).rejects.toMatchObject({ code: 'batch_not_ended' });
    const foreign = await deleteBatch(service.world, 'other', id).catch((error: unknown) => error);
    const unknown = await deleteBatch(service.world, 'other', 'batch_unknown').catch((error: unknown) => error);
    expect(foreign).toMatchObject({ code: 'not_found', message: `No batch found with id '${id}'.` });
    expect(unknown).toMatchObject({ code: 'not_found', message: "No batch found with id 'batch_unknown'." });
    expect((await service.view(id)).status).not.toBe('failed');
  });

  test('is still told of to a receiver that comes back, and only then forgotten', async () => {
    let up = false;
    const { service, batch } = await ended({
      webhookUrl: 'https://example.com/hook',
      answer: () => ({ status: up ? 200 : 503, error: null, retryAfterMs: null }),
    });
    await deleteBatch(service.world, tenant, batch.id);
    await service.world.clock.advance(200_000);
    expect(
      keysOf(service, batch.id).some((key) => /\/(parts|out)\//.test(key)),
      'content goes at once',
    ).toBe(false);
    up = true;
    await service.world.clock.advance(3600 * 1000);
    expect(JSON.parse(service.posts.at(-1)?.body ?? '')).toMatchObject({ data: { id: batch.id, status: 'completed' } });
    expect(keysOf(service, batch.id)).toEqual([keys.batchDeleted(tenant, batch.id)]);
  });

  test('is not made again by the create that made it, nor by the drop that made it', async () => {
    const { service } = await ended();
    const fileId = await service.upload(lines.join('\n'));
    const made = await service.untilEnd((await service.create(fileId, {}, 'key-1')).id);
    await service.world.store.put(`inbox/${tenant}/in.jsonl`, Buffer.from(lines.join('\n')));
    await service.settle();
    const all = (await listBatches(service.world, tenant, newest)).data;
    expect(all.map(({ eyrie }) => eyrie.source)).toContain('inbox');
    for (const { id } of all) await deleteBatch(service.world, tenant, id);
    await service.settle();
    service.startControl();
    await service.settle();
    expect((await listBatches(service.world, tenant, newest)).data).toEqual([]);
    await expect(service.create(fileId, {}, 'key-1')).rejects.toMatchObject({ code: 'idempotency_key_reused' });
    expect(keysOf(service, made.id)).toEqual([keys.batchDeleted(tenant, made.id)]);
    expect(service.world.store.text(`inbox/${tenant}/in.jsonl`), 'the drop is the user’s').not.toBeNull();
  });

  test('leaves a late job of it nothing to do', async () => {
    const { service, batch } = await ended();
    const pointer = { tenant, batchId: batch.id };
    await deleteBatch(service.world, tenant, batch.id);
    for (const wait of [0, 200_000]) {
      await service.world.clock.advance(wait);
      await service.world.queue.add('plan', [{ id: `p${wait}`, payload: pointer }]);
      await service.world.queue.add('shard', [{ id: `s${wait}`, payload: { ...pointer, shard: 0 } }]);
      await service.world.queue.add('finish', [{ id: `f${wait}`, payload: pointer }]);
      await service.settle();
      expect(keysOf(service, batch.id).filter((key) => /\/(parts|out)\/|open\//.test(key))).toEqual([]);
    }
    await expectGone(service, batch);
  });

  test('works as the cursor of a list in both orders', async () => {
    const service = new FakeService();
    service.startControl();
    service.startGenerate();
    const made: string[] = [];
    for (let n = 0; n < 6; n++) {
      made.push((await service.untilEnd((await service.submit(lines)).id)).id);
      await service.world.clock.advance(5000);
    }
    const cursor = made[2] ?? '';
    const ids = async (page: { after: string | null; limit: number; order: 'asc' | 'desc' }): Promise<string[]> =>
      (await listBatches(service.world, tenant, page)).data.map(({ id }) => id);
    for (const wait of [0, 200_000]) {
      await deleteBatch(service.world, tenant, cursor);
      await service.world.clock.advance(wait);
      expect(await ids({ after: cursor, limit: 2, order: 'desc' })).toEqual([made[1], made[0]]);
      expect(await ids({ after: cursor, limit: 2, order: 'asc' })).toEqual([made[3], made[4]]);
      expect(await ids({ after: null, limit: 100, order: 'asc' })).toEqual(made.filter((id) => id !== cursor));
    }
  });
});

describe('a crash at any write', () => {
  for (const when of ['before', 'after'] as const) {
    test(`of a deletion, ${when} it: the batch is whole or gone, and a repeat finishes it`, async () => {
      for (let at = 0; ; at++) {
        const { service, batch } = await ended();
        const crash = stopAtWrite(service.world.store, at, when);
        const outcome = await deleteBatch(service.world, tenant, batch.id).then(
          () => 'done',
          () => 'failed',
        );
        mend(service.world.store);
        const tombstone = service.world.store.text(keys.batchDeleted(tenant, batch.id)) !== null;
        if (tombstone) await expectGone(service, batch);
        else {
          expect((await service.view(batch.id)).status).toBe('completed');
          for (const fileId of filesOf(batch)) expect(await findFile(service.world, tenant, fileId)).not.toBeNull();
        }
        if (!tombstone && at % 2 === 0) {
          // Nobody repeats it: all stays as it was, and the entry of the agenda goes.
          await service.world.clock.advance(2 * 3600 * 1000);
          expect((await service.view(batch.id)).status).toBe('completed');
          expect(service.world.store.keys().filter((key) => key.startsWith('agenda/'))).toEqual([]);
        }
        if (!tombstone) await deleteBatch(service.world, tenant, batch.id);
        await service.world.clock.advance(27 * 3600 * 1000);
        await expectGone(service, batch);
        expect(keysOf(service, batch.id)).toEqual([keys.batchDeleted(tenant, batch.id)]);
        for (const fileId of filesOf(batch)) expect(keysOf(service, fileId)).toEqual([]);
        expect(service.world.store.keys().filter((key) => key.startsWith('agenda/'))).toEqual([]);
        if (!crash.stopped()) {
          expect(outcome).toBe('done');
          expect(at).toBeGreaterThan(5);
          return;
        }
      }
    });

    test(`of the sweep, ${when} it: the next sweep leaves the same`, async () => {
      for (let at = 0; ; at++) {
        const { service, batch } = await ended();
        const { world } = service;
        service.stopControls();
        await deleteBatch(world, tenant, batch.id);
        await deleteFile(world, tenant, batch.input_file_id);
        world.clock.jump(120_000);
        const crash = stopAtWrite(world.store, at, when);
        await sweepRetention(world);
        mend(world.store);
        await expectGone(service, batch);
        await sweepRetention(world);
        world.clock.jump(25 * 3600 * 1000);
        await sweepRetention(world);
        expect(keysOf(service, batch.id)).toEqual([keys.batchDeleted(tenant, batch.id)]);
        for (const fileId of [...filesOf(batch), batch.input_file_id]) expect(keysOf(service, fileId)).toEqual([]);
        expect(world.store.keys().filter((key) => key.startsWith('agenda/'))).toEqual([]);
        if (!crash.stopped()) {
          expect(at).toBeGreaterThan(15);
          return;
        }
      }
    });
  }
});
