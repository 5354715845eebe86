import { describe, expect, test } from 'vitest';
import { cancelBatch } from '../../../src/app/cancel-batch.js';
import { deleteBatch } from '../../../src/app/delete-batch.js';
import { deleteFile } from '../../../src/app/files/delete-file.js';
import { findFile } from '../../../src/app/files/find-file.js';
import { listFiles } from '../../../src/app/files/list-files.js';
import { listBatches } from '../../../src/app/list-batches.js';
import { readResults } from '../../../src/app/read-results.js';
import { retryFailed } from '../../../src/app/retry/retry-failed.js';
import type { BatchObject } from '../../../src/contract/batch-object.js';
import type { RetryRequest } from '../../../src/contract/retry-request.js';
import { bounds } from '../../../src/domain/bounds.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { keys } from '../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant, type ResultLine } from '../../support/fake-service.js';
import type { Script } from '../../support/scripted-engine.js';
import { mend, stopAtWrite } from '../../support/store-faults.js';

const minuteMs = 60_000;
const promptOf = (ids: Uint32Array): string => Buffer.from(Uint8Array.from(ids)).toString();

/** Lines 0 to n-1, sampled without a seed. Every tenth is refused for what it says. */
const linesOf = (n: number): string[] =>
  Array.from({ length: n }, (_, at) =>
    completionLine(`line-${at}`, `prompt ${at}`, at % 10 === 9 ? { temperature: 9 } : { temperature: 1 }),
  );

/** A service whose engine fails for the prompts that `broken` holds, and answers others with prompt and seed. */
class Moody extends FakeService {
  readonly broken = new Set<string>();

  constructor(options: { sequenceMs?: number; webhookUrl?: string } = {}) {
    const script: Script = (ids, { seed }) => {
      const prompt = promptOf(ids);
      return this.broken.has(prompt) ? new EyrieError('numeric_error', 'No number.') : `${prompt} ${seed}`;
    };
    // Without a limit of open batches, which would let no more than some calls go on at once.
    super({ loopMs: 30_000, quotas: { openBatches: null }, ...options, script });
  }

  retry(
    batchId: string,
    request: Partial<RetryRequest> = {},
    more: { idempotencyKey?: string; retryCount?: number } = {},
  ): Promise<BatchObject> {
    return retryFailed(this.world, {
      tenant,
      batchId,
      request: { include: undefined, ...request },
      idempotencyKey: null,
      retryCount: 0,
      ...more,
    });
  }

  async merged(batchId: string, limit = 7): Promise<{ lines: ResultLine[]; complete: boolean }> {
    const lines: ResultLine[] = [];
    for (let after: string | null = null; ;) {
      const page = await readResults(this.world, tenant, batchId, { after, limit, merge: true });
      lines.push(...page.lines.map((line) => JSON.parse(Buffer.from(line).toString()) as ResultLine));
      if (page.next === null || page.lines.length === 0) return { lines, complete: page.next === null };
      after = page.next;
    }
  }
}

const outcomes = (lines: readonly ResultLine[]): (string | undefined)[] =>
  lines.map((line) => line.response?.body.choices?.[0]?.text ?? line.response?.body.error?.code ?? line.error?.code);

/** A batch of 140 lines in three shards, of which lines 3, 70 and 139 failed for reasons that pass, and each tenth for good. */
async function withFailures(): Promise<{ service: Moody; batch: BatchObject; whole: (string | undefined)[] }> {
  const calm = new Moody();
  calm.startControl();
  calm.startGenerate();
  const whole = outcomes((await calm.merged((await calm.untilEnd((await calm.submit(linesOf(140))).id)).id)).lines);
  const service = new Moody();
  for (const at of [3, 70, 138]) service.broken.add(`prompt ${at}`);
  service.startControl();
  service.startGenerate();
  const batch = await service.untilEnd((await service.submit(linesOf(140), { metadata: { run: 'one' } })).id);
  await service.world.clock.advance(minuteMs);
  service.broken.clear();
  return { service, batch, whole };
}

const inputOf = (service: FakeService, batch: BatchObject): string =>
  service.world.store.text(keys.fileContent(tenant, batch.input_file_id)) ?? '';

describe('failed lines are run again', () => {
  test('as a child with the same bytes and seeds, and their results merge in line order', async () => {
    const { service, batch, whole } = await withFailures();
    expect(batch.request_counts).toEqual({ total: 140, completed: 123, failed: 17 });
    const child = await service.retry(batch.id);
    expect(child).toMatchObject({
      status: 'validating',
      endpoint: '/v1/completions',
      completion_window: '24h',
      metadata: { run: 'one' },
      expires_at: child.created_at + 24 * 3600,
      eyrie: { source: 'api', parent_batch_id: batch.id, child_batch_ids: [] },
    });
    const lines = linesOf(140);
    expect(inputOf(service, child)).toBe(`${[lines[3], lines[70], lines[138]].join('\n')}\n`);
    expect(await findFile(service.world, tenant, child.input_file_id)).toMatchObject({ purpose: 'batch' });
    const ended = await service.untilEnd(child.id);
    expect(ended).toMatchObject({ status: 'completed', request_counts: { total: 3, completed: 3, failed: 0 } });
    expect((await service.view(batch.id)).eyrie).toMatchObject({ parent_batch_id: null, child_batch_ids: [child.id] });
    for (const limit of [1, 7, 64, 1000]) {
      const { lines: merged, complete } = await service.merged(batch.id, limit);
      expect(complete).toBe(true);
      expect(merged.map(({ custom_id }) => custom_id)).toEqual(lines.map((_, at) => `line-${at}`));
      expect(outcomes(merged), 'as if nothing had failed').toEqual(whole);
    }
    const page = { after: null, limit: 1000, merge: false };
    const own = await readResults(service.world, tenant, batch.id, page);
    expect(
      Buffer.concat(own.lines)
        .toString()
        .match(/numeric_error/g),
      'unmerged it stays as it was',
    ).toHaveLength(3);
  });

  test('those refused for what they say only when asked for, or by their code', async () => {
    const { service, batch } = await withFailures();
    const counts = async (child: BatchObject) => (await service.untilEnd(child.id)).request_counts;
    const coded = await service.retry(batch.id, { include: ['invalid_value'] });
    expect(await counts(coded)).toEqual({ total: 14, completed: 0, failed: 14 });
    const all = await service.retry(batch.id, { include: 'all' });
    expect(await counts(all)).toEqual({ total: 17, completed: 3, failed: 14 });
    await expect(service.retry(batch.id)).rejects.toMatchObject({
      code: 'nothing_to_retry',
      message: expect.stringContaining('14 failed lines') as string,
    });
  });

  test('once only: while a child runs it is the answer, and what succeeded is not run again', async () => {
    const { service, batch } = await withFailures();
    service.broken.add('prompt 70');
    const children = await Promise.all(Array.from({ length: 20 }, () => service.retry(batch.id)));
    const [first] = children;
    if (!first) throw new Error('No child.');
    expect(new Set(children.map(({ id }) => id)).size).toBe(1);
    expect((await service.retry(batch.id)).id, 'while it runs').toBe(first.id);
    expect((await service.untilEnd(first.id)).request_counts).toEqual({ total: 3, completed: 2, failed: 1 });
    expect((await service.retry(batch.id, {}, { retryCount: 1 })).id, 'an automatic repeat').toBe(first.id);
    service.broken.clear();
    const second = await service.retry(batch.id);
    expect(inputOf(service, second)).toBe(`${linesOf(140)[70]}\n`);
    await service.untilEnd(second.id);
    expect((await service.view(batch.id)).eyrie.child_batch_ids).toEqual([first.id, second.id]);
    expect(outcomes((await service.merged(batch.id)).lines).filter((text) => text === 'numeric_error')).toEqual([]);
    // What calls at once left behind goes.
    await service.world.clock.advance(6 * 3600 * 1000);
    const inputs = (await listFiles(service.world, tenant, { after: null, limit: 100, order: 'asc', purpose: null }))
      .data;
    expect(inputs.filter(({ filename }) => filename.endsWith('_retry.jsonl')).map(({ id }) => id)).toEqual([
      first.input_file_id,
      second.input_file_id,
    ]);
    const contents = service.world.store.keys().filter((key) => key.endsWith('/content'));
    expect(contents).toHaveLength(3);
  });

  test('as children of children too', async () => {
    const { service, batch, whole } = await withFailures();
    service.broken.add('prompt 70');
    service.broken.add('prompt 138');
    const child = await service.untilEnd((await service.retry(batch.id)).id);
    service.broken.delete('prompt 138');
    const grandchild = await service.untilEnd((await service.retry(child.id)).id);
    expect(grandchild).toMatchObject({
      request_counts: { total: 2, completed: 1, failed: 1 },
      eyrie: { parent_batch_id: child.id },
    });
    expect((await service.view(child.id)).eyrie).toMatchObject({
      parent_batch_id: batch.id,
      child_batch_ids: [grandchild.id],
    });
    service.broken.clear();
    const again = await service.retry(batch.id);
    expect(inputOf(service, again), 'of the whole lineage one line is left').toBe(`${linesOf(140)[70]}\n`);
    await service.untilEnd(again.id);
    expect(outcomes((await service.merged(batch.id)).lines)).toEqual(whole);
    const ofChild = (await service.merged(child.id)).lines;
    expect(ofChild.map(({ custom_id }) => custom_id)).toEqual(['line-3', 'line-70', 'line-138']);
    expect(outcomes(ofChild)[1], 'the sibling is none of the child’s').toBe('numeric_error');
  });

  test('after a cancel and after an expiry, whatever was not run', async () => {
    for (const end of ['cancelled', 'expired'] as const) {
      const service = new Moody({ sequenceMs: 5000 });
      service.startControl();
      service.startGenerate();
      const { id } = await service.submit(linesOf(300).filter((_, at) => at % 10 !== 9));
      await service.world.clock.until(
        'the first shards',
        async () => (await service.view(id)).request_counts.completed > 0,
      );
      if (end === 'cancelled') await cancelBatch(service.world, tenant, id);
      else service.world.clock.jump(24 * 3600 * 1000);
      const batch = await service.untilEnd(id);
      expect(batch.status).toBe(end);
      const child = await service.untilEnd((await service.retry(id)).id);
      expect(child.request_counts).toMatchObject({ total: batch.request_counts.failed, failed: 0 });
      const { lines, complete } = await service.merged(id, 1000);
      expect(complete).toBe(true);
      expect(lines).toHaveLength(270);
      expect(lines.every(({ response }) => response?.status_code === 200)).toBe(true);
    }
  });
});

test('the end of a retry is told like any other, and names the parent', async () => {
  const service = new Moody({ webhookUrl: 'https://example.com/hook' });
  service.broken.add('prompt 1');
  service.startControl();
  service.startGenerate();
  const batch = await service.untilEnd((await service.submit(linesOf(3))).id);
  await service.world.clock.advance(minuteMs);
  service.broken.clear();
  const child = await service.untilEnd((await service.retry(batch.id)).id);
  await service.world.clock.advance(minuteMs);
  const told = service.posts.map(({ body }) => JSON.parse(body) as { data: { id: string; parent_batch_id?: string } });
  expect(told.map(({ data }) => [data.id, data.parent_batch_id])).toEqual([
    [batch.id, undefined],
    [child.id, batch.id],
  ]);
});

test('merged results stop at a line that a child works on, and end when it has', async () => {
  const { service, batch } = await withFailures();
  service.stopControls();
  const child = await service.retry(batch.id);
  const early = await service.merged(batch.id);
  expect(early).toMatchObject({ complete: false });
  expect(early.lines.map(({ custom_id }) => custom_id)).toEqual(['line-0', 'line-1', 'line-2']);
  service.startControl();
  await service.untilEnd(child.id);
  expect((await service.merged(batch.id)).lines).toHaveLength(140);
});

test('a child that is deleted takes its results along, and its lines can be run again', async () => {
  const { service, batch, whole } = await withFailures();
  const child = await service.untilEnd((await service.retry(batch.id)).id);
  await service.world.clock.advance(minuteMs);
  await deleteBatch(service.world, tenant, child.id);
  expect((await service.view(batch.id)).eyrie.child_batch_ids).toEqual([]);
  expect(outcomes((await service.merged(batch.id)).lines).filter((text) => text === 'numeric_error')).toHaveLength(3);
  await service.world.clock.advance(26 * 3600 * 1000);
  const left = service.world.store
    .keys()
    .filter((key) => key.includes(child.id) || key.includes(`/${child.input_file_id}`));
  expect(left).toEqual([keys.batchDeleted(tenant, child.id)]);
  const another = await service.untilEnd((await service.retry(batch.id)).id);
  expect(another.id).not.toBe(child.id);
  expect(outcomes((await service.merged(batch.id)).lines)).toEqual(whole);
});

test('a child outlives its parent', async () => {
  const { service, batch } = await withFailures();
  const child = await service.untilEnd((await service.retry(batch.id)).id);
  await service.world.clock.advance(minuteMs);
  await deleteBatch(service.world, tenant, batch.id);
  await service.world.clock.advance(3600 * 1000);
  expect(await service.view(child.id)).toMatchObject({ status: 'completed', eyrie: { parent_batch_id: batch.id } });
  expect((await service.merged(child.id)).lines).toHaveLength(3);
  await expect(service.retry(batch.id)).rejects.toMatchObject({ code: 'not_found' });
});

describe('what cannot be run again is told', () => {
  test('a batch that has not ended, has no failed lines, or no lines at all', async () => {
    const service = new Moody();
    const running = await service.submit(linesOf(3));
    await expect(service.retry(running.id)).rejects.toMatchObject({ code: 'batch_not_ended' });
    service.startControl();
    service.startGenerate();
    await service.untilEnd(running.id);
    await expect(service.retry(running.id)).rejects.toMatchObject({
      code: 'nothing_to_retry',
      message: expect.stringContaining('No line') as string,
    });
    const invalid = await service.untilEnd((await service.submit(['x'])).id);
    await expect(service.retry(invalid.id)).rejects.toMatchObject({ code: 'nothing_to_retry' });
    await expect(service.retry('batch_unknown')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('an input that is gone', async () => {
    const { service, batch } = await withFailures();
    await deleteFile(service.world, tenant, batch.input_file_id);
    await service.world.clock.advance(3600 * 1000);
    await expect(service.retry(batch.id)).rejects.toMatchObject({ code: 'input_changed', param: 'batch_id' });
    expect((await service.view(batch.id)).eyrie.child_batch_ids).toEqual([]);
  });
});

test('an idempotency key makes one child, and refuses another request', async () => {
  const { service, batch } = await withFailures();
  const key = { idempotencyKey: 'key-1' };
  const child = await service.untilEnd((await service.retry(batch.id, {}, key)).id);
  expect((await service.retry(batch.id, {}, key)).id, 'also when it has ended').toBe(child.id);
  await expect(service.retry(batch.id, { include: 'all' }, key)).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  });
  const fileId = await service.upload('{}');
  await expect(service.create(fileId, {}, 'key-1')).rejects.toMatchObject({ code: 'idempotency_key_reused' });
});

describe('a batch has a bounded number of children', () => {
  const tooMany = { code: 'too_many_retries', message: expect.stringContaining('100 times') as string };

  test('whether or not they are made under keys, and deleted ones count', async () => {
    const { service, batch } = await shortFailures();
    service.broken.add('prompt 1');
    service.startControl();
    service.startGenerate('worker-2');
    for (let n = 0; n < bounds.retriesPerBatchMax; n++) {
      const key = n % 3 === 0 ? {} : { idempotencyKey: `key-${n}` };
      const child = await service.untilEnd((await service.retry(batch.id, {}, key)).id);
      await service.world.clock.advance(minuteMs);
      if (n % 10 === 5) await deleteBatch(service.world, tenant, child.id);
    }
    for (const key of [{}, { idempotencyKey: 'another' }])
      await expect(service.retry(batch.id, {}, key)).rejects.toMatchObject(tooMany);
    const last = `key-${bounds.retriesPerBatchMax - 2}`;
    expect((await service.retry(batch.id, {}, { idempotencyKey: last })).status, 'a repeat is none').toBe('completed');
  });

  test('also when their calls come all at once', async () => {
    const { service, batch } = await shortFailures();
    const calls = Array.from({ length: bounds.retriesPerBatchMax + 20 }, (_, n) =>
      service.retry(batch.id, {}, { idempotencyKey: `key-${n}` }),
    );
    const settled = await Promise.allSettled(calls);
    const refused = settled.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(20);
    for (const { reason } of refused as PromiseRejectedResult[]) expect(reason).toMatchObject(tooMany);
    expect((await service.view(batch.id)).eyrie.child_batch_ids).toHaveLength(bounds.retriesPerBatchMax);
  });

  test('those of its children are among them', async () => {
    const { service, batch } = await shortFailures();
    service.startControl();
    service.startGenerate('worker-2');
    service.broken.add('prompt 1');
    const child = await service.untilEnd((await service.retry(batch.id)).id);
    const keysOf = (name: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ idempotencyKey: `${name}-${n}` }));
    const calls = keysOf('child', bounds.retriesPerBatchMax).map((key) => service.retry(child.id, {}, key));
    const settled = await Promise.allSettled(calls);
    const refused = settled.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(refused.map(({ reason }) => reason as unknown)).toEqual([expect.objectContaining(tooMany)]);
  });

  test('and a call that is repeated does not use up another place', async () => {
    const { service, batch } = await shortFailures();
    for (let n = 0; n < 5; n++) {
      service.world.store.fault = ({ operation, key }) =>
        operation === 'create' && key.endsWith('/submit.json') ? { fail: 'before' } : undefined;
      await expect(service.retry(batch.id, {}, { idempotencyKey: 'key' })).rejects.toMatchObject({
        code: 'store_unavailable',
      });
    }
    mend(service.world.store);
    await service.retry(batch.id, {}, { idempotencyKey: 'key' });
    const places = service.world.store.keys().filter((key) => key.startsWith(keys.retryPlaces(tenant, batch.id)));
    expect(places).toEqual([keys.retryPlace(tenant, batch.id, 0)]);
  });
});

for (const when of ['before', 'after'] as const)
  test(`a crash ${when} any write of a retry makes one child or none, and a repeat is safe`, async () => {
    for (let at = 0; ; at++) {
      const { service, batch } = await shortFailures();
      const crash = stopAtWrite(service.world.store, at, when);
      service.world.queue.unavailable = true;
      const outcome = await service.retry(batch.id).then(
        () => 'done',
        () => 'failed',
      );
      mend(service.world.store);
      service.world.queue.unavailable = false;
      service.startControl();
      service.startGenerate('worker-2');
      const child = await service.untilEnd((await service.retry(batch.id)).id);
      expect(child).toMatchObject({ status: 'completed', request_counts: { total: 1, completed: 1 } });
      expect((await service.view(batch.id)).eyrie.child_batch_ids).toEqual([child.id]);
      expect(outcomes((await service.merged(batch.id)).lines)).toEqual(
        [0, 1, 2].map((n) => expect.stringContaining(`prompt ${n}`) as string),
      );
      await service.world.clock.advance(6 * 3600 * 1000);
      const page = { after: null, limit: 100, order: 'desc' } as const;
      expect((await listBatches(service.world, tenant, page)).data.map(({ id }) => id)).toEqual([child.id, batch.id]);
      const contents = service.world.store.keys().filter((key) => key.endsWith('/content'));
      expect(contents.toSorted()).toEqual(
        [batch, child].map(({ input_file_id }) => keys.fileContent(tenant, input_file_id)).toSorted(),
      );
      expect(service.world.store.keys().filter((key) => key.includes('/retry/'))).toHaveLength(1);
      if (!crash.stopped()) {
        expect(outcome).toBe('done');
        expect(at).toBeGreaterThan(8);
        return;
      }
    }
  });

/** Three lines of which the middle one failed; nothing runs any more. */
async function shortFailures(): Promise<{ service: Moody; batch: BatchObject }> {
  const service = new Moody();
  service.broken.add('prompt 1');
  service.startControl();
  const worker = service.startGenerate();
  const batch = await service.untilEnd((await service.submit(linesOf(3))).id);
  await service.world.clock.advance(minuteMs);
  service.stopControls();
  service.world.queue.kill(worker);
  service.broken.clear();
  return { service, batch };
}
