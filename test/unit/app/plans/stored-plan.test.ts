import { describe, expect, test } from 'vitest';
import { BatchRecords } from '../../../../src/app/batch-records.js';
import { listBatches } from '../../../../src/app/list-batches.js';
import { readResults } from '../../../../src/app/read-results.js';
import { encodePlan, findPlan, findPlanHead } from '../../../../src/app/stored-plan.js';
import { planObject, type WorkPlan } from '../../../../src/contract/stored-objects.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { completionLine, FakeService, tenant } from '../../../support/fake-service.js';
import { fakeWorld } from '../../../support/fake-world.js';

interface ErrorLine {
  readonly response: { readonly body: { readonly error: { readonly code: string; readonly message: string } } };
}

const key = keys.plan(tenant, 'batch_1');

const planOf = (shards: number): WorkPlan => ({
  v: 1,
  kind: 'work',
  plannedMs: 5,
  endpoint: '/v1/completions',
  model: 'm',
  lines: shards,
  tokens: shards,
  promptTokens: 1,
  outputTokensMost: 2,
  order: { start: 3, stride: 4 },
  shards: Array.from({ length: shards }, (_, n) => ({
    n,
    byteStart: n * 1000,
    byteEnd: (n + 1) * 1000,
    firstLine: n,
    count: 1,
    tokens: 16_000_000 + n,
    sha256: 'f'.repeat(64),
    noRequests: [[n, n + 1]],
    rejected: [],
  })),
});

/** Time goes on by a turn's worth with each look at it. */
function hastyClock() {
  let now = 0;
  const clock = { turns: 0, monotonic: () => (now += bounds.turnMs), turn: () => Promise.resolve(void clock.turns++) };
  return clock;
}

describe('the plan of a batch with as many shards as there may be', () => {
  const large = planOf(bounds.shardsPerBatchMax);

  test('is written and read in turns', async () => {
    const { store } = fakeWorld();
    const writing = hastyClock();
    await store.create(key, await encodePlan(writing, large));
    expect(writing.turns).toBeGreaterThan(100);
    const reading = hastyClock();
    expect(await findPlan({ store, clock: reading }, tenant, 'batch_1')).toEqual(large);
    expect(reading.turns).toBeGreaterThan(100);
  });

  test('has a head that is read alone, with the tokens of each shard', async () => {
    const { store, clock } = fakeWorld();
    const bytes = await encodePlan(clock, large);
    await store.create(key, bytes.subarray(0, bounds.planHeadBytesMax));
    const { shards, ...rest } = large;
    expect(await findPlanHead({ store, clock }, tenant, 'batch_1')).toEqual({
      ...rest,
      shardTokens: shards.map(({ tokens }) => tokens),
    });
  });

  test('is what programs of an earlier version read too', async () => {
    const { clock } = fakeWorld();
    const text = Buffer.from(await encodePlan(clock, large)).toString();
    expect(planObject.parse(JSON.parse(text))).toEqual(large);
  });
});

test.each([0, 1, 128, 129])('a plan of %d shards is read as it was written', async (shards) => {
  const { store, clock } = fakeWorld();
  await store.create(key, await encodePlan(clock, planOf(shards)));
  expect(await findPlan({ store, clock }, tenant, 'batch_1')).toEqual(planOf(shards));
});

test.each([3, 2000])('a plan of an earlier version is read, %d shards in one line', async (shards) => {
  const { store, clock } = fakeWorld();
  const told = { code: 'invalid_url', message: 'm', param: null, line: 1, index: 0, customId: 'a' };
  const plan = planOf(shards);
  const earlier = plan.shards.map(({ noRequests: _, ...shard }) => ({ ...shard, rejected: [told] }));
  await store.put(key, Buffer.from(JSON.stringify({ ...plan, shards: earlier })));
  expect(await findPlan({ store, clock }, tenant, 'batch_1')).toMatchObject({ kind: 'work', shards: earlier });
  expect(await findPlanHead({ store, clock }, tenant, 'batch_1')).toMatchObject({
    kind: 'work',
    order: plan.order,
    shardTokens: plan.shards.map(({ tokens }) => tokens),
  });
});

test('a plan that is cut off, or that no version wrote, is a verdict that says so', async () => {
  const { store, clock } = fakeWorld();
  const whole = await encodePlan(clock, planOf(300));
  for (const bytes of [whole.subarray(0, -20_000), whole.subarray(0, 50), Buffer.from('{\n"v":1}')]) {
    await store.put(key, bytes);
    expect(await findPlan({ store, clock }, tenant, 'batch_1')).toMatchObject({ verdict: 'failed' });
  }
  await store.put(key, Buffer.from('{\n"v":1}'));
  expect(await findPlanHead({ store, clock }, tenant, 'batch_1')).toMatchObject({ verdict: 'failed' });
  const later = Buffer.from(Buffer.from(whole).toString().replace('"v":1', '"v":2'));
  await store.put(key, later);
  for (const read of [findPlan, findPlanHead])
    await expect(read({ store, clock }, tenant, 'batch_1')).rejects.toMatchObject({ code: 'service_unavailable' });
});

describe('a lenient batch with many bad lines', () => {
  const good = completionLine('good', 'p');
  const badLines = ['{"custom_id":"b1"}', 'no json', good, '[]'];
  const bad = (n: number): string => badLines[n % badLines.length] ?? '';

  async function ended(lines: number) {
    const service = new FakeService({ loopMs: 30_000 });
    service.startControl();
    service.startGenerate();
    const input = [good, ...Array.from({ length: lines }, (_, n) => bad(n))].join('\n');
    const batch = await service.create(await service.upload(input), { eyrie: { validation: 'lenient' } });
    return { service, batch: await service.untilEnd(batch.id) };
  }

  test('has a plan of a few bytes for each, and every line its own error', async () => {
    const { service, batch } = await ended(4000);
    const info = await service.world.store.head(keys.plan(tenant, batch.id));
    expect(info?.bytes).toBeLessThan(4000 * 20);
    expect(batch.request_counts).toEqual({ total: 4001, completed: 1, failed: 4000 });
    const page = await readResults(service.world, tenant, batch.id, { after: null, limit: 5, merge: false });
    const lines = page.lines.slice(1).map((line) => JSON.parse(Buffer.from(line).toString()) as ErrorLine);
    expect(lines.map(({ response }) => response.body.error)).toMatchObject([
      { code: 'missing_required_parameter', message: expect.stringMatching(/^Line 2: Missing/) as string },
      { code: 'invalid_json_line', message: expect.stringMatching(/^Line 3: This line is not/) as string },
      { code: 'duplicate_custom_id', message: expect.stringMatching(/^Line 4: The custom_id/) as string },
      { code: 'invalid_json_line', message: expect.stringMatching(/^Line 5: The line is JSON, but/) as string },
    ]);
  });

  test('is listed without reading what its shards hold', async () => {
    const { service, batch } = await ended(100);
    const { store } = service.world;
    const ranges: (number | undefined)[] = [];
    const watched = new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          const range = (args[1] as { range?: { end: number } } | undefined)?.range;
          if (name === 'get' && args[0] === keys.plan(tenant, batch.id)) ranges.push(range?.end);
          return member.apply(target, args) as unknown;
        };
      },
    });
    const world = { ...service.world, store: watched, records: new BatchRecords(watched, service.world.clock) };
    const page = await listBatches(world, tenant, { after: null, limit: 10, order: 'desc' });
    expect(page.data.map(({ id }) => id)).toEqual([batch.id]);
    expect(ranges).toEqual([bounds.planHeadBytesMax]);
  });
});
