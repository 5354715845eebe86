import { expect, test } from 'vitest';
import { deleteFile } from '../../../../src/app/files/delete-file.js';
import { storeFile } from '../../../../src/app/files/store-file.js';
import { FilesQuota } from '../../../../src/app/quotas/files-quota.js';
import { beginUpload } from '../../../../src/app/uploads/begin-upload.js';
import { cancelUpload } from '../../../../src/app/uploads/cancel-upload.js';
import { completeUpload } from '../../../../src/app/uploads/complete-upload.js';
import { toWorld } from '../../../../src/app/world.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { fakeWorld } from '../../../support/fake-world.js';
import { gateStore } from '../../../support/gated-store.js';

const tenant = 'acme';
const usedUp = { code: 'insufficient_quota', bound: 'filesPerTenant' };

async function* one(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
}

/** Two processes of the API over one store and one Redis. */
function twoProcesses(files: number, filesBytes: number | null = null) {
  const world = fakeWorld({ quotas: { files, filesBytes } });
  const another = toWorld({ ...world, shared: world.shared.another() });
  const quotas = [world, another].map((of) => new FilesQuota(of));
  const [here, there] = quotas as [FilesQuota, FilesQuota];
  const description = { filename: 'a', purpose: 'batch', expires_after: undefined } as const;
  const upload = (quota: FilesQuota) =>
    quota.metered(tenant, 'file', one(), (content) =>
      storeFile(world, { tenant, content, describe: () => Promise.resolve(description) }),
    );
  const begin = (quota: FilesQuota) =>
    quota.taking(tenant, 0, () =>
      beginUpload(world, tenant, { bytes: 1, filename: 'a', purpose: 'batch', mime_type: 'text/plain' }),
    );
  const stored = () => world.store.keys().filter((key) => key.endsWith('/file.json')).length;
  const lists = () => world.store.calls.filter(({ operation, key }) => operation === 'list' && key.includes('/files/'));
  const recount = () => world.clock.advance(bounds.filesCountedMs);
  return { world, here, there, upload, begin, stored, lists, recount };
}

test('a tenant has no more than so many files, through all processes at once; deleted ones make room', async () => {
  const { world, here, there, upload, stored, lists, recount } = twoProcesses(5, 1000);
  const first = await upload(here);
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => upload(n % 2 ? here : there)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
  expect(stored()).toBe(5);
  expect(lists(), 'files and bytes are counted by one look').toHaveLength(1);
  await expect(there.check(tenant, 0)).rejects.toMatchObject(usedUp);
  await expect(here.taking(tenant, 1, () => Promise.resolve())).rejects.toMatchObject(usedUp);

  await deleteFile(world, tenant, first.id);
  await recount();
  await upload(there);
  await expect(upload(here)).rejects.toMatchObject(usedUp);
  for (let n = 0; n < 10; n++) {
    await recount();
    await there.check(tenant, 0).catch(() => undefined);
  }
  expect(lists().length, 'and later too').toBeLessThanOrEqual(13);
});

test('a count that takes long holds up only what would not fit without it', async () => {
  const { world, here, upload, stored, recount } = twoProcesses(2);
  const first = await upload(here);
  await deleteFile(world, tenant, first.id);
  await recount();
  const gate = gateStore(world.store, (operation, key) => operation === 'list' && key.includes('/files/'));
  const slow = new FilesQuota({ ...world, store: gate.store });
  await slow.check(tenant, 0);
  await gate.reached;
  await upload(slow);
  let isAnswered = false;
  const last = upload(slow)
    .catch(() => undefined)
    .finally(() => (isAnswered = true));
  await world.clock.advance(100);
  expect(isAnswered, 'two files are known, but one may have been deleted').toBe(false);
  gate.open();
  await last;
  await recount();
  if (stored() === 1) await upload(slow);
  expect(stored()).toBe(2);
});

test('bytes that were counted by an earlier version at another time are soon counted together with the files', async () => {
  const { world, here, lists } = twoProcesses(5, 1000);
  const ask = { amount: 0, before: 0, epoch: 0 };
  const { countAs } = await world.shared.changeUsage(`files:${tenant}`, ask, bounds.filesCountedMs);
  await world.shared.settleUsage(`files:${tenant}`, countAs ?? 0, 0);
  for (let n = 0; n < 60; n++) {
    await world.clock.advance(bounds.filesCountedMs / 10);
    await here.check(tenant, 0);
  }
  expect(lists().length).toBeLessThanOrEqual(8);
});

test('records of deleted files take room when there are more of them than files', async () => {
  const { world, here, upload, recount } = twoProcesses(4);
  let made = 0;
  for (; made < 20; made++) {
    const file = await upload(here).catch(() => null);
    if (!file) break;
    await deleteFile(world, tenant, file.id);
    await recount();
  }
  expect(made).toBe(7);
  await recount();
  await expect(upload(here)).rejects.toMatchObject(usedUp);
});

test('results count and are never refused; what is uploaded beside them is', async () => {
  const { world, here, upload } = twoProcesses(3);
  for (const id of ['file-1', 'file-2', 'file-3', 'file-4'])
    await world.store.put(keys.file(tenant, id), Buffer.from('{}'));
  await expect(upload(here)).rejects.toMatchObject(usedUp);
});

test('an upload in parts counts from its beginning, so that neither its parts nor its completion are refused', async () => {
  const { world, here, there, upload, begin, recount } = twoProcesses(2);
  const { id } = await begin(here);
  await upload(there);
  for (const step of [upload, begin]) await expect(step(here)).rejects.toMatchObject(usedUp);
  await recount();
  await expect(begin(there), 'counted anew').rejects.toMatchObject(usedUp);

  const partKey = keys.uploadPart(tenant, id, 'part_1');
  await here.metered(tenant, 'part', one(), (content) => world.store.putStream(partKey, content));
  const { file } = await completeUpload(world, tenant, id, { part_ids: ['part_1'] });
  await recount();
  await expect(upload(here)).rejects.toMatchObject(usedUp);
  await deleteFile(world, tenant, file?.id ?? '');
  await recount();
  const another = await begin(there);
  await expect(upload(here)).rejects.toMatchObject(usedUp);
  await cancelUpload(world, tenant, another.id);
  await recount();
  await upload(here);
});
