import { expect, test } from 'vitest';
import { planWithinBounds } from '../../../src/app/attempts/plan-within-bounds.js';
import { planJob } from '../../../src/app/jobs.js';
import { batchJob, type BatchJob } from '../../../src/contract/queue-payload.js';
import type { SubmitObject } from '../../../src/contract/stored-objects.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { eventually } from '../../support/eventually.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { fakeWorld } from '../../support/fake-world.js';

/** A batch that is accepted and whose plan is about to be made. */
async function accepted(world: ReturnType<typeof fakeWorld>, tenant: string): Promise<BatchJob> {
  const batch = { tenant, batchId: world.ids.next('batch') };
  const line = JSON.stringify({
    custom_id: 'a',
    method: 'POST',
    url: '/v1/completions',
    body: { model: 'falcon', prompt: 'x' },
  });
  const key = keys.fileContent(tenant, batch.batchId);
  const { etag } = await world.store.put(key, Buffer.from(line));
  const submit: SubmitObject = {
    v: 1,
    ...batch,
    source: 'api',
    createdMs: world.clock.now(),
    expiresMs: world.clock.now() + 86_400_000,
    input: { key, etag, bytes: line.length, sha256: '' },
    inputFileId: 'file-1',
    endpoint: '/v1/completions',
    validation: 'strict',
    completionWindow: '24h',
    priority: 0,
    deadlineMs: null,
    price: null,
    metadata: null,
    outputExpiresSeconds: null,
    webhooks: [],
    outboxName: null,
    requestHash: '',
  };
  await world.store.put(keys.submit(tenant, batch.batchId), Buffer.from(JSON.stringify(submit)));
  return batch;
}

test("plans of one tenant leave places for another's, and each of them is made", async () => {
  const world = fakeWorld();
  const many = await Promise.all(Array.from({ length: 20 }, () => accepted(world, 'mallory')));
  const other = await accepted(world, 'alice');
  // Reading mallory's inputs takes a minute each.
  world.store.fault = ({ operation, key }) =>
    operation.startsWith('get') && key.includes('mallory') && key.includes('content') ? { delayMs: 60_000 } : undefined;
  const isPlanned = ({ tenant, batchId }: BatchJob): boolean => world.store.text(keys.plan(tenant, batchId)) !== null;
  const grammars = new FakeGrammars();
  world.queue.consume('plan', { concurrency: bounds.plansMax, perTenant: bounds.plansPerTenant }, (job) =>
    planWithinBounds({ ...world, tokenizer: new ByteTokenizer(), grammars }, batchJob.parse(job.payload), job.stalls),
  );
  for (const batch of [...many, other]) await world.queue.add('plan', [planJob(batch, world)]);
  await eventually('the other one is planned', () => isPlanned(other));
  expect(world.clock.monotonic()).toBe(0);
  expect(many.filter(isPlanned)).toEqual([]);
  await world.clock.until('all are planned', () => many.every(isPlanned));
});
