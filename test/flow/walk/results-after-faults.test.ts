import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { findManifest } from '../../../src/app/batch-records.js';
import { sweepRetention } from '../../../src/app/retention/sweep-retention.js';
import type { ManifestObject } from '../../../src/contract/stored-objects.js';
import { keys } from '../../../src/domain/object-keys.js';
import type { ObjectStore } from '../../../src/ports/object-store.js';
import { Downloads } from '../../support/downloads.js';
import { storeKinds } from '../../support/each-store.js';
import { completionLine, FakeService, tenant, type ResultLine } from '../../support/fake-service.js';
import type { FaultyStore } from '../../support/faulty-store.js';
import { failWrite, mend } from '../../support/store-faults.js';

/** Three shards; every seventh line fails, so that both files are there. */
const isBad = (at: number): boolean => at % 7 === 3;
const numbers = Array.from({ length: 130 }, (_, at) => at);
const lines = numbers.map((at) => completionLine(`line-${at}`, `prompt ${at}`, isBad(at) ? { temperature: 9 } : {}));

const parsed = (content: Buffer): ResultLine[] =>
  content
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await store.list(prefix)).objects.map(({ key }) => key);
}

/** Lets the batch end, its event be told, and the janitor look once more. */
async function untilEnded(service: FakeService<FaultyStore>, batchId: string): Promise<ManifestObject> {
  const { store, clock } = service.world;
  for (let looks = 0; looks < 100; looks++) {
    await clock.advance(10_000);
    const manifest = await findManifest(store, tenant, batchId);
    if (!manifest) continue;
    await clock.advance(30_000);
    return manifest;
  }
  throw new Error(`${batchId} does not end.`);
}

/** Both files as users get them: whole, right, and what the manifest says. */
async function expectResults(service: FakeService<FaultyStore>, manifest: ManifestObject): Promise<void> {
  const { output, errors } = manifest;
  const downloads = new Downloads(service.world);
  const contents = [await downloads.read(output?.fileId ?? ''), await downloads.read(errors?.fileId ?? '')] as const;
  const tail = await downloads.read(output?.fileId ?? '', { range: 'bytes=-100' });
  await downloads.close();
  expect(parsed(contents[0]).map((line) => [line.custom_id, line.response?.body.choices?.[0]?.text])).toEqual(
    numbers.filter((at) => !isBad(at)).map((at) => [`line-${at}`, `PROMPT ${at}`]),
  );
  expect(parsed(contents[1]).map((line) => [line.custom_id, line.response?.body.error?.param])).toEqual(
    numbers.filter(isBad).map((at) => [`line-${at}`, 'temperature']),
  );
  expect(contents.map(sha256)).toEqual([output?.sha256, errors?.sha256]);
  expect(tail.equals(contents[0].subarray(-100))).toBe(true);
}

/** What finishers that were not first, or were stopped, have left is gone. */
async function expectNoLeftovers(service: FakeService<FaultyStore>, manifest: ManifestObject): Promise<void> {
  const { store, clock } = service.world;
  const { batchId, output, errors } = manifest;
  service.stopControls();
  clock.jump(4 * 3600 * 1000);
  await sweepRetention(service.world);
  const named = [output?.fileId ?? '', errors?.fileId ?? ''].toSorted();
  expect(await keysBelow(store, `${keys.batch(tenant, batchId)}out/`)).toEqual(
    named.map((fileId) => keys.result(tenant, batchId, fileId)),
  );
  const records = (await keysBelow(store, keys.files(tenant))).filter((key) => key.endsWith('/file.json'));
  expect(records.filter((key) => named.some((fileId) => key.includes(fileId)))).toHaveLength(2);
  // The two results and the input.
  expect(records).toHaveLength(3);
  expect(await keysBelow(store, keys.agendas)).toEqual([]);
}

for (const kind of await storeKinds())
  describe.skipIf(kind.missing !== '')(`results in ${kind.name} ${kind.missing}`, () => {
    afterAll(() => kind.close());

    for (const when of ['before', 'after'] as const)
      test(`can be downloaded when any single write fails ${when} it was done`, { timeout: 300_000 }, async () => {
        for (let failing = 0; ; failing++) {
          const store = await kind.open();
          const service = new FakeService({ loopMs: 10_000 }, store);
          service.world.clock.quiet = () => store.idle();
          const { id } = await service.submit(lines);
          service.startControl();
          service.startGenerate();
          const fault = failWrite(store, failing, when);
          const manifest = await untilEnded(service, id);
          mend(store);
          expect(manifest, `write ${failing}`).toMatchObject({
            state: 'completed',
            counts: { completed: 111, failed: 19 },
          });
          await expectResults(service, manifest);
          await expectNoLeftovers(service, manifest);
          if (!fault.failed()) {
            expect(failing).toBeGreaterThan(12);
            return;
          }
        }
      });
  });
