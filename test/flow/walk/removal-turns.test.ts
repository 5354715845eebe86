import { expect, test } from 'vitest';
import { storeFile } from '../../../src/app/files/store-file.js';
import { deleteFile } from '../../../src/app/files/delete-file.js';
import { putOnAgenda } from '../../../src/app/retention/agenda.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { beginUpload } from '../../../src/app/uploads/begin-upload.js';
import { cancelUpload } from '../../../src/app/uploads/cancel-upload.js';
import { sweepUploads } from '../../../src/app/uploads/sweep-uploads.js';
import { keys } from '../../../src/domain/object-keys.js';
import { fakeWorld, type FakeWorld } from '../../support/fake-world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

async function* bytes(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
}

const stored = (world: FakeWorld, tenant: string) =>
  storeFile(world, {
    tenant,
    content: bytes(),
    describe: () => Promise.resolve({ filename: 'a.jsonl', purpose: 'batch', expires_after: undefined }),
  });

const agenda = (world: FakeWorld): readonly string[] => world.store.keys().filter((key) => key.startsWith('agenda/'));

test('a tenant that deletes very much delays the removals of no other', async () => {
  const world = fakeWorld();
  const { store, clock } = world;
  for (let n = 0; n < 500; n++) await deleteFile(world, 'mallory', (await stored(world, 'mallory')).id);
  const { id } = await stored(world, 'zoe');
  await deleteFile(world, 'zoe', id);
  await clock.advance(2 * minuteMs);
  store.fault = () => ({ delayMs: 20 });
  const startedMs = clock.now();
  let ended = false;
  void sweepRetention(world).then(() => (ended = true));
  await clock.until('zoe’s', () => store.text(keys.fileContent('zoe', id)) === null);
  expect(clock.now() - startedMs).toBeLessThan(12_000);
  expect(store.keys().filter((key) => key.includes('/mallory/files/')).length).toBeGreaterThan(500);
  await clock.until('all', () => ended);
  expect(store.keys().filter((key) => key.endsWith('/content'))).toEqual([]);
  expect(clock.now() - startedMs, 'side by side').toBeLessThan(500 * 7 * 20);
});

test('a stored file is on the agenda for its expiry alone', async () => {
  const world = fakeWorld();
  const { id } = await stored(world, 'acme');
  expect(agenda(world)).toEqual([expect.stringMatching(new RegExp(String.raw`^agenda/acme/\d{7}/\d{6}\.${id}$`))]);
});

test('what may still be under way is looked at now and then for an hour, and then no more', async () => {
  const world = fakeWorld();
  const { store, clock } = world;
  const { id } = await stored(world, 'acme');
  await putOnAgenda(store, clock.now(), 'acme', id);
  store.calls.length = 0;
  for (let minute = 0; minute < 120; minute++) {
    await sweepRetention(world);
    clock.jump(minuteMs);
  }
  const looks = store.calls.filter(({ operation, key }) => operation === 'get' && key === keys.file('acme', id));
  expect(looks.length).toBeGreaterThan(3);
  expect(looks.length).toBeLessThanOrEqual(8);
  expect(agenda(world)).toHaveLength(1);
});

test('an upload that has ended is looked at a few times only until it is gone', async () => {
  const world = fakeWorld();
  const { store, clock } = world;
  const { id } = await beginUpload(world, 'acme', {
    bytes: 1,
    filename: 'a.jsonl',
    purpose: 'batch',
    mime_type: 'application/jsonl',
  });
  await store.put(keys.uploadPart('acme', id, 'part'), Buffer.of(1));
  await cancelUpload(world, 'acme', id);
  store.calls.length = 0;
  for (let minute = 0; minute < 25 * 60; minute++) {
    await sweepUploads(world);
    await sweepRetention(world);
    clock.jump(minuteMs);
  }
  expect(store.keys()).toEqual([]);
  expect(store.calls.filter(({ key }) => key.includes(id)).length).toBeLessThan(30);
});

test('entries of earlier versions are moved to their tenants when they are due, and done', async () => {
  const world = fakeWorld();
  const { store, clock } = world;
  const old = (ms: number, id: string): string => `due/${String(ms).padStart(13, '0')}.acme.${id}`;
  const { id } = await stored(world, 'acme');
  await deleteFile(world, 'acme', id);
  for (const key of agenda(world)) await store.delete(key);
  await store.put(old(clock.now() + minuteMs, id), Buffer.of());
  const later = old(clock.now() + 48 * hourMs, world.ids.next('file'));
  await store.put(later, Buffer.of());
  clock.jump(2 * minuteMs);
  await sweepRetention(world);
  expect(store.text(keys.fileContent('acme', id))).toBeNull();
  expect(store.keys().filter((key) => key.startsWith('due/'))).toEqual([later]);
  clock.jump(48 * hourMs);
  for (let n = 0; n < 3; n++) await sweepRetention(world);
  expect(store.keys()).toEqual([]);
});
