import { describe, expect, test } from 'vitest';
import { encodePart } from '../../../../src/app/part.js';
import { readResults } from '../../../../src/app/read-results.js';
import { stillFailed } from '../../../../src/app/retry/still-failed.js';
import { encodePlan } from '../../../../src/app/stored-plan.js';
import type { ManifestObject, SubmitObject, WorkPlan } from '../../../../src/contract/stored-objects.js';
import { noWaste } from '../../../../src/app/give-up-shard.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { fakeWorld, type FakeWorld } from '../../../support/fake-world.js';

const tenant = 'acme';
const idOf = (n: number): string => `batch_${String(n).padStart(26, '0')}`;

const submitOf = (batchId: string, parentId: string | null): SubmitObject => ({
  v: 1,
  batchId,
  tenant,
  source: 'api',
  createdMs: 1,
  expiresMs: 1e15,
  input: null,
  inputFileId: 'file_1',
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
  ...(parentId === null ? {} : { retryOf: { batchId: parentId, depth: 1 } }),
});

const planOf = (lines: number): WorkPlan => ({
  v: 1,
  kind: 'work',
  plannedMs: 0,
  endpoint: '/v1/completions',
  model: 'm',
  lines,
  tokens: lines,
  promptTokens: 1,
  outputTokensMost: 1,
  order: { start: 0, stride: 1 },
  shards: Array.from({ length: lines }, (_, n) => ({
    n,
    byteStart: n,
    byteEnd: n + 1,
    firstLine: n,
    count: 1,
    tokens: 1,
    sha256: '',
    noRequests: [],
    rejected: [],
  })),
});

const manifestOf = (batchId: string, lines: number): ManifestObject => ({
  v: 1,
  batchId,
  state: 'completed',
  finishedMs: 1,
  finalizingMs: 1,
  generatingMs: 0,
  counts: { total: lines, completed: 0, failed: lines },
  reasons: [],
  givenUp: {},
  attempts: { workers_lost: 0, failed: 0 },
  output: null,
  errors: null,
  inputTokens: 0,
  outputTokens: 0,
  shapes: noWaste,
  eventId: 'event_1',
});

/** An ended batch of shards of one line. `okFrom`: lines from this one on succeeded. */
async function putBatch(world: FakeWorld, n: number, parent: number | null, lines: number, okFrom = Infinity) {
  const { store } = world;
  const batchId = idOf(n);
  const put = (key: string, value: unknown) => store.put(key, Buffer.from(JSON.stringify(value)));
  const submit = submitOf(batchId, parent === null ? null : idOf(parent));
  await put(keys.submit(tenant, batchId), submit);
  await store.put(keys.plan(tenant, batchId), await encodePlan(world.clock, planOf(lines)));
  await put(keys.manifest(tenant, batchId), manifestOf(batchId, lines));
  if (parent !== null) {
    await store.put(keys.child(tenant, idOf(parent), n, batchId), Buffer.of());
    await put(keys.retryLines(tenant, batchId, 'file_1'), {
      v: 1,
      lines: Array.from({ length: lines }, (_, at) => at),
    });
  }
  for (let line = 0; line < lines; line++) {
    const ok = line >= okFrom;
    const failure = { response: null, error: { code: 'internal_error' } };
    const json = JSON.stringify({ by: n, line, ...(ok ? {} : failure) });
    const { bytes } = encodePart(
      { shard: line, verdict: null, shapes: noWaste, worker: 'w', startedMs: 0, finishedMs: 0 },
      [{ ok, json, inputTokens: 0, outputTokens: 0 }],
    );
    await store.put(keys.part(tenant, batchId, line), bytes);
  }
  return submit;
}

const textOf = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as { by: number; line: number };

describe('merged results of a batch that was retried often', () => {
  const children = 40;
  const lines = 100;
  const family = async () => {
    const world = fakeWorld();
    await putBatch(world, 0, null, lines);
    for (let n = 1; n <= children; n++) await putBatch(world, n, 0, lines, n === children ? 0 : Infinity);
    world.store.calls.length = 0;
    return world;
  };

  test('read the records of each child once for a page, and end the page when that took many reads', async () => {
    const world = await family();
    const found: { by: number; line: number }[] = [];
    let after: string | null = null;
    let pages = 0;
    do {
      world.store.calls.length = 0;
      const page = await readResults(world, tenant, idOf(0), { after, limit: 1000, merge: true });
      found.push(...page.lines.map(textOf));
      expect(page.lines.length).toBeGreaterThan(0);
      const ofLines = world.store.calls.filter(({ key }) => key.includes('/retry/'));
      expect(ofLines.length).toBeLessThanOrEqual(children);
      // What is read before the next look at the bound: the records of all children, and eight lines in each.
      expect(world.store.calls.length).toBeLessThan(bounds.mergedReadsMax + children * (6 + 8) + lines);
      after = page.next;
      pages++;
    } while (after !== null);
    expect(pages).toBeGreaterThan(1);
    expect(found).toEqual(Array.from({ length: lines }, (_, line) => ({ by: children, line })));
  });

  test('read nothing of children for lines that did not fail', async () => {
    const world = fakeWorld();
    await putBatch(world, 0, null, 20, 0);
    await putBatch(world, 1, 0, 20, 0);
    world.store.calls.length = 0;
    const page = await readResults(world, tenant, idOf(0), { after: null, limit: 1000, merge: true });
    expect(page.lines.map(textOf).map(({ by }) => by)).toEqual(Array.from({ length: 20 }, () => 0));
    expect(world.store.calls.filter(({ key }) => key.includes(idOf(1)))).toEqual([]);
  });
});

test('lines that still fail are told from so many parts at most', async () => {
  const world = fakeWorld();
  const root = await putBatch(world, 0, null, 1);
  // Its own part is one more than two of the largest batches have.
  expect(await stillFailed(world, root)).toEqual(new Map([[0, 'internal_error']]));
  const shards = bounds.shardsPerBatchMax;
  for (let n = 1; n <= bounds.retryPartsMax / shards; n++) {
    await putBatch(world, n, 0, 1);
    await world.store.put(keys.plan(tenant, idOf(n)), await encodePlan(world.clock, planOf(shards)));
  }
  await expect(stillFailed(world, root)).rejects.toMatchObject({ code: 'too_many_retries' });
});
