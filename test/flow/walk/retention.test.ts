import { expect, test } from 'vitest';
import { deleteFile } from '../../../src/app/files/delete-file.js';
import { findFile } from '../../../src/app/files/find-file.js';
import { listFiles } from '../../../src/app/files/list-files.js';
import { openFileContent } from '../../../src/app/files/open-file-content.js';
import { storeFile } from '../../../src/app/files/store-file.js';
import { readResults } from '../../../src/app/read-results.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import type { FileObject } from '../../../src/contract/file-object.js';
import { keys } from '../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';
import { mend, stopAtWrite } from '../../support/store-faults.js';

const hourMs = 3600 * 1000;
const content = [completionLine('a', 'one'), completionLine('b', 'two', { temperature: 9 })].join('\n');
const newest = { after: null, limit: 100, order: 'desc', purpose: null } as const;

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

const stored = (service: FakeService, seconds: number | null, text = content): Promise<FileObject> =>
  storeFile(service.world, {
    tenant,
    content: bytesOf(text),
    describe: () =>
      Promise.resolve({
        filename: 'in.jsonl',
        purpose: 'batch',
        expires_after: seconds === null ? undefined : { anchor: 'created_at', seconds },
      }),
  });

const keysOf = (service: FakeService, id: string): readonly string[] =>
  service.world.store.keys().filter((key) => key.includes(id));
const agendaOf = (service: FakeService): readonly string[] =>
  service.world.store.keys().filter((key) => key.startsWith('agenda/'));
const isShown = async (service: FakeService, id: string): Promise<boolean> =>
  (await findFile(service.world, tenant, id)) !== null;

test('a file is there to the second of its expiry; then its bytes go, and a day later all of it', async () => {
  const service = new FakeService({ loopMs: 30_000 });
  service.startControl();
  const file = await stored(service, 7200);
  await service.world.clock.advance(2 * hourMs - 1);
  expect(await isShown(service, file.id)).toBe(true);
  await service.world.clock.advance(1);
  expect(await isShown(service, file.id)).toBe(false);
  expect((await listFiles(service.world, tenant, newest)).data).toEqual([]);
  await expect(deleteFile(service.world, tenant, file.id)).rejects.toMatchObject({ code: 'not_found' });
  await service.world.clock.advance(3 * 60_000);
  expect(keysOf(service, file.id).filter((key) => !key.startsWith('agenda/'))).toEqual([
    keys.fileDeleted(tenant, file.id),
  ]);
  expect((await listFiles(service.world, tenant, { ...newest, after: file.id })).data, 'still a cursor').toEqual([]);
  await service.world.clock.advance(25 * hourMs);
  expect(keysOf(service, file.id)).toEqual([]);
});

test('a file of the default 30 days, and one for ever, are left alone until then', async () => {
  const service = new FakeService({ loopMs: hourMs });
  service.startControl();
  const file = await stored(service, null);
  await service.world.clock.advance(29 * 24 * hourMs);
  expect(await isShown(service, file.id)).toBe(true);
  expect(agendaOf(service)).toHaveLength(1);
  await service.world.clock.advance(25 * hourMs);
  expect(keysOf(service, file.id).some((key) => key.endsWith('/content'))).toBe(false);
});

test('the input of a running batch stays until the batch has ended, deleted or expired', async () => {
  for (const end of ['deleted', 'expired'] as const) {
    const service = new FakeService({ loopMs: 30_000, sequenceMs: 5 * hourMs });
    service.startControl();
    const file = await stored(service, 3600);
    const { id } = await service.create(file.id);
    await service.world.clock.until('planned', async () => (await service.view(id)).status === 'in_progress');
    if (end === 'deleted') await deleteFile(service.world, tenant, file.id);
    await service.world.clock.advance(2 * hourMs);
    expect(await isShown(service, file.id)).toBe(false);
    expect(service.world.store.text(keys.fileContent(tenant, file.id))).toBe(content);
    service.startGenerate();
    expect(await service.untilEnd(id), end).toMatchObject({ status: 'completed', request_counts: { completed: 1 } });
    await service.world.clock.advance(hourMs);
    expect(service.world.store.text(keys.fileContent(tenant, file.id))).toBeNull();
  }
});

test('results go when output_expires_after says so: files, early results and every copy of an answer', async () => {
  const service = new FakeService({ loopMs: 30_000 });
  service.startControl();
  service.startGenerate();
  const { id } = await service.submit([completionLine('a', 'sesame'), completionLine('b', 'x', { temperature: 9 })], {
    output_expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  const batch = await service.untilEnd(id);
  const output = await findFile(service.world, tenant, batch.output_file_id ?? '');
  expect(output?.expiresMs).toBe((output?.createdMs ?? 0) + hourMs);
  const page = { after: null, limit: 10, merge: false };
  expect((await readResults(service.world, tenant, id, page)).lines).toHaveLength(2);
  service.world.clock.jump(hourMs);
  for (const file of [batch.output_file_id, batch.error_file_id])
    expect(await isShown(service, file ?? '')).toBe(false);
  await expect(readResults(service.world, tenant, id, page)).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('expired') as string,
  });
  await service.world.clock.advance(200_000);
  const holding = service.world.store.keys().filter((key) => service.world.store.text(key)?.includes('SESAME'));
  expect(holding).toEqual([]);
  expect(await service.view(id), 'the batch itself is still shown').toMatchObject({
    status: 'completed',
    output_file_id: batch.output_file_id,
    request_counts: { total: 2, completed: 1, failed: 1 },
    usage: batch.usage,
  });
  // A job that comes late makes nothing again.
  await service.world.queue.add('shard', [{ id: 'late', payload: { tenant, batchId: id, shard: 0 } }]);
  await service.settle();
  expect(keysOf(service, id).filter((key) => /\/(parts|out)\//.test(key))).toEqual([]);
});

for (const when of ['before', 'after'] as const)
  test(`a crash ${when} any write of the sweep that removes results leaves no copy of an answer for long`, async () => {
    for (let at = 0; ; at++) {
      const service = new FakeService({ loopMs: 30_000 });
      const { world } = service;
      service.startControl();
      const worker = service.startGenerate();
      const { id } = await service.submit([completionLine('a', 'sesame'), completionLine('b', 'x', { top_p: 9 })], {
        output_expires_after: { anchor: 'created_at', seconds: 3600 },
      });
      const batch = await service.untilEnd(id);
      await world.clock.advance(60_000);
      service.stopControls();
      world.queue.kill(worker);
      world.clock.jump(hourMs + 120_000);
      const crash = stopAtWrite(world.store, at, when);
      await sweepRetention(world);
      mend(world.store);
      for (const file of [batch.output_file_id, batch.error_file_id])
        expect(await isShown(service, file ?? '')).toBe(false);
      await sweepRetention(world);
      expect(world.store.keys().filter((key) => world.store.text(key)?.includes('SESAME'))).toEqual([]);
      expect(keysOf(service, id).filter((key) => /\/(parts|out)\//.test(key))).toEqual([]);
      expect(await service.view(id)).toMatchObject({ status: 'completed', usage: batch.usage });
      if (!crash.stopped()) {
        expect(at).toBeGreaterThan(10);
        return;
      }
    }
  });

test('results without an expiry stay', async () => {
  const service = new FakeService({ loopMs: 6 * hourMs });
  service.startControl();
  service.startGenerate();
  const batch = await service.untilEnd((await service.submit([completionLine('a', 'hi')])).id);
  await service.world.clock.advance(90 * 24 * hourMs);
  const file = await findFile(service.world, tenant, batch.output_file_id ?? '');
  if (!file) throw new Error('The output file is gone.');
  expect(file.expiresMs).toBeNull();
  await openFileContent(service.world, file, null);
});

test('content whose upload was cut off before there was a file is found and removed', async () => {
  const service = new FakeService({ loopMs: 30_000 });
  service.world.store.fault = ({ operation, key }) =>
    operation === 'create' && key.endsWith('/file.json') ? { fail: 'before' } : undefined;
  await expect(stored(service, 3600)).rejects.toMatchObject({ code: 'store_unavailable' });
  mend(service.world.store);
  const left = service.world.store.keys();
  expect(left.some((key) => key.endsWith('/content'))).toBe(true);
  service.startControl();
  await service.world.clock.advance(hourMs);
  expect(service.world.store.keys()).toContain(left.find((key) => key.endsWith('/content')));
  await service.world.clock.advance(5 * hourMs);
  expect(service.world.store.keys()).toEqual([]);
});

for (const when of ['before', 'after'] as const)
  test(`a crash ${when} any write of a sweep leaves nothing that the next does not remove`, async () => {
    for (let at = 0; ; at++) {
      const service = new FakeService();
      const { world } = service;
      const file = await stored(service, 3600);
      world.clock.jump(hourMs + 120_000);
      const crash = stopAtWrite(world.store, at, when);
      await sweepRetention(world);
      mend(world.store);
      expect(await isShown(service, file.id)).toBe(false);
      world.clock.jump(2 * hourMs);
      await sweepRetention(world);
      expect(world.store.text(keys.fileContent(tenant, file.id))).toBeNull();
      for (let day = 0; day < 2; day++) {
        world.clock.jump(25 * hourMs);
        await sweepRetention(world);
      }
      expect(world.store.keys(), `write ${at}`).toEqual([]);
      if (!crash.stopped()) {
        expect(at).toBeGreaterThan(4);
        return;
      }
    }
  });
