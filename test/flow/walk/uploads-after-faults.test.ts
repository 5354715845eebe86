import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import { addPart } from '../../../src/app/uploads/add-part.js';
import { beginUpload } from '../../../src/app/uploads/begin-upload.js';
import { PartRoom } from '../../../src/app/uploads/part-room.js';
import { completeUpload } from '../../../src/app/uploads/complete-upload.js';
import type { UploadObject } from '../../../src/contract/upload-object.js';
import { errorCode } from '../../../src/domain/errors.js';
import { keys } from '../../../src/domain/object-keys.js';
import { Downloads } from '../../support/downloads.js';
import { storeKinds, type StoreKind } from '../../support/each-store.js';
import { FakeService, tenant } from '../../support/fake-service.js';
import type { FaultyStore } from '../../support/faulty-store.js';
import { failWrite, mend } from '../../support/store-faults.js';

const pieces = [randomBytes(1000), randomBytes(20_000), randomBytes(1)];

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A service with an upload whose parts are all there. */
async function sent(kind: StoreKind) {
  const store = await kind.open();
  const { world } = new FakeService({}, store);
  const upload = await beginUpload(world, tenant, {
    purpose: 'batch',
    filename: 'big.jsonl',
    bytes: Buffer.concat(pieces).length,
    mime_type: 'application/jsonl',
  });
  const room = new PartRoom(world);
  const partIds: string[] = [];
  for (const content of pieces) {
    const part = { tenant, uploadId: upload.id, content: only(content), finish: () => Promise.resolve() };
    partIds.push((await addPart(world, room, part)).id);
  }
  return { store, world, uploadId: upload.id, partIds };
}

/** A client: it repeats a call that failed for a reason that may pass. */
async function complete(
  world: FakeService<FaultyStore>['world'],
  uploadId: string,
  partIds: readonly string[],
): Promise<UploadObject> {
  for (let attempt = 1; ; attempt++)
    try {
      return await completeUpload(world, tenant, uploadId, { part_ids: [...partIds] });
    } catch (error) {
      if (errorCode(error) !== 'store_unavailable' || attempt === 3) throw error;
    }
}

/** The file as users get it, now and once everything left behind was swept; there is one content. */
async function expectOneFile(
  { store, world }: Awaited<ReturnType<typeof sent>>,
  fileId: string,
  content: Buffer,
): Promise<void> {
  const downloads = new Downloads(world);
  const isRight = async (): Promise<boolean> => (await downloads.read(fileId)).equals(content);
  expect(await isRight()).toBe(true);
  world.clock.jump(4 * 3600 * 1000);
  await sweepRetention(world);
  expect(await isRight()).toBe(true);
  await downloads.close();
  const { objects } = await store.list(keys.files(tenant));
  expect(objects.map(({ key }) => key)).toEqual([keys.fileContent(tenant, fileId), keys.file(tenant, fileId)]);
}

for (const kind of await storeKinds())
  describe.skipIf(kind.missing !== '')(`an upload in ${kind.name} ${kind.missing}`, () => {
    afterAll(() => kind.close());

    for (const when of ['before', 'after'] as const)
      test(
        `completed twice side by side is one file, also when any single write fails ${when} it was done`,
        { timeout: 120_000 },
        async () => {
          for (let failing = 0; ; failing++) {
            const service = await sent(kind);
            const { store, world, uploadId, partIds } = service;
            const fault = failWrite(store, failing, when);
            const done = await Promise.all([complete(world, uploadId, partIds), complete(world, uploadId, partIds)]);
            mend(store);
            const [fileId = '', other] = done.map(({ file }) => file?.id);
            expect(other, `write ${failing}`).toBe(fileId);
            expect(done.map(({ status }) => status)).toEqual(['completed', 'completed']);
            expect((await complete(world, uploadId, partIds)).file?.id, 'again').toBe(fileId);
            await expectOneFile(service, fileId, Buffer.concat(pieces));
            if (!fault.failed()) {
              expect(failing).toBeGreaterThan(7);
              return;
            }
          }
        },
      );

    test('completed with its parts in two orders at once is the file of one of them', async () => {
      const service = await sent(kind);
      const { world, uploadId, partIds } = service;
      const orders = [partIds, partIds.toReversed()] as const;
      const done = await Promise.allSettled(orders.map((order) => complete(world, uploadId, order)));
      const winner = done.findIndex(({ status }) => status === 'fulfilled');
      const [won, lost] = [done[winner], done[1 - winner]];
      expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'upload_ended' } });
      const fileId = won?.status === 'fulfilled' ? (won.value.file?.id ?? '') : '';
      const { objects } = await service.store.list(keys.files(tenant));
      const contents = objects.filter(({ key }) => key.endsWith('/content'));
      expect(contents, 'the other one is removed at once').toHaveLength(1);
      await expectOneFile(service, fileId, Buffer.concat(winner === 0 ? pieces : pieces.toReversed()));
    });
  });
