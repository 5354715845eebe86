import { expect, test } from 'vitest';
import { addPart } from '../../../../src/app/uploads/add-part.js';
import { beginUpload } from '../../../../src/app/uploads/begin-upload.js';
import { PartRoom } from '../../../../src/app/uploads/part-room.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { fakeWorld, type FakeWorld } from '../../../support/fake-world.js';

const tenant = 'acme';

const begin = async (world: FakeWorld, bytes: number, owner = tenant): Promise<string> => {
  const request = { purpose: 'batch', filename: 'a.jsonl', bytes, mime_type: 'application/jsonl' } as const;
  return (await beginUpload(world, owner, request)).id;
};

async function* only(bytes: number): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(bytes, 'x');
}

/** Sends a part of so many bytes; `content` in place of them. */
const send = async (
  world: FakeWorld,
  room: PartRoom,
  uploadId: string,
  bytes: number,
  { content = only(bytes), isRepeat = false, owner = tenant } = {},
): Promise<string> => {
  const finish = (): Promise<void> => Promise.resolve();
  return (await addPart(world, room, { tenant: owner, uploadId, content, isRepeat, finish })).id;
};

const stored = async (world: FakeWorld, uploadId: string): Promise<number[]> => {
  const { objects } = await world.store.list(keys.uploadParts(tenant, uploadId));
  return objects.map(({ bytes }) => bytes);
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

const listings = (world: FakeWorld, uploadId: string): number =>
  world.store.calls.filter(({ operation, key }) => operation === 'list' && key === keys.uploadParts(tenant, uploadId))
    .length;

const tooMuch = { code: 'invalid_value', message: expect.stringContaining('declared with 100') as string };

/** Puts parts there as another process would. */
const putParts = async (world: FakeWorld, uploadId: string, count: number, bytes = 1): Promise<string[]> => {
  const made = Array.from({ length: count }, (_, n) => keys.uploadPart(tenant, uploadId, `part_other${n}`));
  for (const key of made) await world.store.put(key, Buffer.alloc(bytes));
  return made;
};

test('an upload is listed once for many parts, one after the other or at once, and after a failure of the listing', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 1000);
  world.store.fault = ({ operation }) => (operation === 'list' ? { fail: 'before' } : undefined);
  await expect(send(world, room, upload, 1)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.store.fault = () => undefined;
  for (let n = 0; n < 200; n++) await send(world, room, upload, 1);
  await Promise.all(Array.from({ length: 50 }, () => send(world, room, upload, 1)));
  expect(listings(world, upload)).toBe(2);
  expect(await stored(world, upload)).toHaveLength(250);
});

test('parts that come slowly cost a bounded number of entries each', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 100_000);
  await putParts(world, upload, 2000);
  const before = listings(world, upload);
  for (let n = 0; n < 100; n++) {
    await send(world, room, upload, 1);
    await world.clock.advance(bounds.uploadLookMs);
  }
  // Three pages each: the first, and again after 20 parts, at 2000 of them.
  expect(listings(world, upload) - before).toBeLessThanOrEqual(3 * (1 + 100 / 20));
  expect(listings(world, upload) - before).toBeGreaterThanOrEqual(6);
});

test.each([-9, -6, -3, 0, 3, 5, 6, 7, 9])(
  'parallel parts take the declared bytes exactly, also those that end %i ms after the parts are listed anew',
  async (afterMs) => {
    const world = fakeWorld();
    const room = new PartRoom(world);
    const upload = await begin(world, 1000);
    await send(world, room, upload, 10);
    // The listing that the later ones wait for is made after 6 ms.
    world.store.fault = ({ operation }) =>
      operation === 'putStream' ? { delayMs: bounds.uploadLookMs + afterMs } : undefined;
    const early = Array.from({ length: 3 }, () => send(world, room, upload, 10));
    await world.clock.advance(bounds.uploadLookMs);
    world.store.fault = ({ operation }) =>
      operation === 'list' || operation === 'putStream' ? { delayMs: 6 } : undefined;
    const late = Array.from({ length: 3 }, () => send(world, room, upload, 20));
    await world.clock.advance(30);
    await Promise.all([...early, ...late]);
    world.store.fault = () => undefined;
    const before = listings(world, upload);
    const settled = await Promise.allSettled(Array.from({ length: 40 }, () => send(world, room, upload, 30)));
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(30);
    expect(listings(world, upload)).toBe(before);
    expect(sum(await stored(world, upload))).toBe(1000);
  },
);

test('a part that is listed before it ended, and then fails, does not count', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 100);
  await send(world, room, upload, 10);
  const finish = async (): Promise<void> => {
    await world.clock.sleep(bounds.uploadLookMs + 10);
    throw new Error('not well-formed');
  };
  const failing = addPart(world, room, { tenant, uploadId: upload, content: only(60), finish });
  failing.catch(() => undefined);
  await world.clock.advance(bounds.uploadLookMs);
  await send(world, room, upload, 30);
  expect(await stored(world, upload)).toHaveLength(3);
  await world.clock.advance(10);
  await expect(failing).rejects.toThrow('not well-formed');
  await send(world, room, upload, 60);
  expect(sum(await stored(world, upload))).toBe(100);
});

test('the number of parts is exact, too: as many are taken as there is room for', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 1_000_000);
  await putParts(world, upload, bounds.uploadPartsMax - 2);
  const settled = await Promise.allSettled(Array.from({ length: 8 }, () => send(world, room, upload, 1)));
  const refused = settled.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(6);
  for (const result of refused)
    expect(result).toMatchObject({ reason: { code: 'invalid_value', bound: 'uploadPartsMax' } });
});

test('what other processes took is seen later, and so is what they took back', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 100);
  await send(world, room, upload, 40);
  const others = await putParts(world, upload, 1, 50);
  await world.clock.advance(bounds.uploadLookMs);
  await expect(send(world, room, upload, 20)).rejects.toMatchObject(tooMuch);
  for (const key of others) await world.store.delete(key);
  const before = listings(world, upload);
  for (let n = 0; n < 5; n++) await expect(send(world, room, upload, 20)).rejects.toMatchObject(tooMuch);
  expect(listings(world, upload), 'refusals cost no listing each').toBe(before);
  await world.clock.advance(bounds.uploadLookMs);
  await send(world, room, upload, 20);
});

test('a part that could not be taken back is seen at once', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 100);
  await send(world, room, upload, 10);
  world.store.fault = ({ operation }) =>
    operation === 'putStream' ? { fail: 'after' } : operation === 'delete' ? { fail: 'before' } : undefined;
  await expect(send(world, room, upload, 60)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.store.fault = () => undefined;
  expect(await stored(world, upload)).toEqual([10, 60]);
  await expect(send(world, room, upload, 31)).rejects.toMatchObject(tooMuch);
  await send(world, room, upload, 30);
});

test('a part that fails leaves its room to others', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const upload = await begin(world, 100);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(90);
    throw new Error('cut off');
  }
  for (let n = 0; n < 3; n++)
    await expect(send(world, room, upload, 0, { content: broken() })).rejects.toThrow('cut off');
  world.store.fault = ({ operation }) => (operation === 'putStream' ? { fail: 'after' } : undefined);
  await expect(send(world, room, upload, 100)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.store.fault = () => undefined;
  await send(world, room, upload, 100);
  await send(world, room, upload, 100, { isRepeat: true });
  await expect(send(world, room, upload, 1, { isRepeat: true })).rejects.toMatchObject(tooMuch);
});

/** What is sent when the test says so. */
function held(bytes: number) {
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  async function* content(): AsyncGenerator<Uint8Array> {
    await gate;
    yield* only(bytes);
  }
  return { content: content(), go };
}

test('what is known is bounded by tenant, and kept of uploads whose parts are under way', async () => {
  const world = fakeWorld();
  const room = new PartRoom(world);
  const busy = await begin(world, 100);
  const idle = await begin(world, 100);
  const ofOther = await begin(world, 100, 'globex');
  const slow = held(60);
  const first = send(world, room, busy, 60, { content: slow.content });
  await send(world, room, idle, 60);
  await send(world, room, ofOther, 60, { owner: 'globex' });
  for (let n = 0; n < bounds.uploadsOpenMax; n++) {
    // Ended at once, so that there are never too many.
    const upload = await begin(world, 100);
    await send(world, room, upload, 1);
    await world.store.delete(keys.pendingUpload(tenant, upload));
  }
  const before = world.store.calls.filter(({ operation }) => operation === 'list').length;
  const listed = () => world.store.calls.filter(({ operation }) => operation === 'list').length - before;
  slow.go();
  await first;
  await expect(send(world, room, busy, 60)).rejects.toMatchObject(tooMuch);
  await expect(send(world, room, ofOther, 60, { owner: 'globex' })).rejects.toMatchObject(tooMuch);
  expect(listed()).toBe(0);
  await expect(send(world, room, idle, 60)).rejects.toMatchObject(tooMuch);
  expect(listed(), 'dropped, and so listed again').toBe(1);
});
