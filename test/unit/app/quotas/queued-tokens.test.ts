import { describe, expect, test } from 'vitest';
import { queueTokens, tokenLimitError } from '../../../../src/app/quotas/queued-tokens.js';
import { toWorld, type World } from '../../../../src/app/world.js';
import type { PlanObject } from '../../../../src/contract/stored-objects.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { keys } from '../../../../src/domain/object-keys.js';
import { fakeWorld, type FakeWorld } from '../../../support/fake-world.js';

const tenant = 'acme';
const idOf = (n: number): string => `batch_${String(n).padStart(26, '0')}`;
const planOf = (tokens: number): PlanObject => ({
  v: 1,
  kind: 'work',
  plannedMs: 0,
  endpoint: '/v1/completions',
  model: 'test/falcon',
  lines: 1,
  tokens,
  promptTokens: null,
  outputTokensMost: null,
  order: { start: 0, stride: 1 },
  shards: [],
});

/** Two processes over one store and one Redis, and what a plan of each does. */
function start(queuedTokens: number) {
  const here = fakeWorld({ quotas: { queuedTokens } });
  const there = toWorld({ ...here, shared: here.shared.another() });
  const reads: string[] = [];
  here.store.fault = ({ operation, key }) => {
    if (operation === 'get') reads.push(key);
    return undefined;
  };
  const open = (n: number) => here.store.put(keys.openBatch(tenant, idOf(n)), Buffer.of());
  const write = async (n: number, tokens: number): Promise<string> => {
    await here.store.put(keys.plan(tenant, idOf(n)), Buffer.from(JSON.stringify(planOf(tokens))));
    return idOf(n);
  };
  const plan = (world: World, n: number, tokens: number): Promise<string> =>
    queueTokens(world, tenant, idOf(n), tokens, () => write(n, tokens));
  const end = async (n: number): Promise<void> => here.store.delete(keys.openBatch(tenant, idOf(n)));
  return { here, there, reads, open, plan, end };
}

const refused = { message: expect.stringContaining('quota') as string };

describe('the quota of queued tokens', () => {
  test('does not read the plans of all open batches for each plan', async () => {
    const { here, reads, open, plan } = start(1_000_000);
    for (let n = 0; n < 200; n++) await open(n);
    reads.length = 0;
    for (let n = 0; n < 50; n++) await plan(here, n, 10);
    expect(reads.length).toBeLessThan(260);
    await here.clock.advance(bounds.tokensAgeMs + 1);
    reads.length = 0;
    for (let n = 50; n < 100; n++) await plan(here, n, 10);
    // Of those that are planned, what was read stays known; their manifests, and the others' plans, are looked for once more.
    expect(reads.length).toBeLessThan(260);
  });

  test('counts what another process has planned since the count', async () => {
    const { here, there, open, plan } = start(100);
    for (let n = 0; n < 4; n++) await open(n);
    await plan(here, 0, 40);
    await plan(there, 1, 40);
    await expect(plan(here, 2, 40)).rejects.toMatchObject(refused);
    expect(await plan(here, 3, 20)).toBe(idOf(3));
  });

  test('counts it as long as a count without it is used', async () => {
    const { here, there, open, plan } = start(100);
    for (let n = 0; n < 3; n++) await open(n);
    await plan(here, 0, 1);
    await plan(there, 1, 90);
    await here.clock.advance(bounds.tokensAgeMs - 1);
    await expect(plan(here, 2, 10)).rejects.toMatchObject(refused);
  });

  test('notes many plans in a handful of entries', async () => {
    const { here, open, plan } = start(1_000_000);
    let entries = 0;
    const { shared } = here;
    const claim = shared.claim.bind(shared);
    shared.claim = async (name, made, keptMs) => {
      const earlier = await claim(name, made, keptMs);
      if (name.startsWith('planned:')) entries = Math.max(entries, earlier.length);
      return earlier;
    };
    for (let n = 0; n < 100; n++) await open(n);
    for (let n = 0; n < 100; n++) {
      await plan(here, n, 10);
      await here.clock.advance(200);
    }
    expect(entries).toBeLessThan(8);
    expect((await here.plannedLately.note(tenant, 5)).others).toBe(1000);
  });

  test('gives back at once what a batch had that has ended', async () => {
    const { here, there, open, plan, end } = start(100);
    for (let n = 0; n < 3; n++) await open(n);
    await plan(here, 0, 90);
    await expect(plan(there, 1, 20)).rejects.toMatchObject(refused);
    await end(0);
    expect(await plan(there, 2, 20)).toBe(idOf(2));
  });

  test('counts exactly while Redis is away', async () => {
    const { here, there, open, plan } = start(100);
    for (let n = 0; n < 3; n++) await open(n);
    await plan(here, 0, 1);
    await plan(there, 1, 90);
    here.shared.unavailable = true;
    await expect(plan(here, 2, 10)).rejects.toMatchObject(refused);
  });

  test('leaves room for a batch whose plan failed', async () => {
    const { here, open, plan } = start(100);
    for (let n = 0; n < 2; n++) await open(n);
    const failing = queueTokens(here, tenant, idOf(0), 90, () => Promise.reject(new Error('no store')));
    await expect(failing).rejects.toThrow('no store');
    expect(await plan(here, 1, 90)).toBe(idOf(1));
  });

  test('a dry run counts anew before it says that there is no room', async () => {
    const { here, open, plan, end } = start(100);
    await open(0);
    await plan(here, 0, 90);
    await here.clock.advance(bounds.openListAgeMs + 1);
    expect(await tokenLimitError(here, tenant, 20)).toMatchObject({ code: 'token_limit_exceeded' });
    await end(0);
    expect(await tokenLimitError(here, tenant, 20)).toBeNull();
  });
});

describe('the place of a batch among those of its tenant', () => {
  async function three(): Promise<FakeWorld> {
    const { here, open } = start(100);
    for (let n = 0; n < 3; n++) {
      await open(n);
      await here.clock.advance(1);
    }
    return here;
  }

  test('is that in which they were accepted; one that is not there is the last', async () => {
    const world = await three();
    for (let n = 0; n < 3; n++) expect(await world.openBatches.rank(tenant, idOf(n))).toBe(n + 1);
    expect(await world.openBatches.rank(tenant, idOf(7))).toBe(4);
    expect(await world.openBatches.rank(tenant, undefined)).toBe(4);
  });

  test('takes one list for many batches, and another one for a batch that came since', async () => {
    const world = await three();
    let lists = 0;
    world.store.fault = ({ operation }) => {
      if (operation === 'list') lists++;
      return undefined;
    };
    for (let n = 0; n < 3; n++) await world.openBatches.rank(tenant, idOf(n));
    expect(lists).toBe(1);
    await world.store.put(keys.openBatch(tenant, idOf(3)), Buffer.of());
    expect(await world.openBatches.rank(tenant, idOf(3))).toBe(4);
    expect(lists).toBe(2);
    await world.clock.advance(bounds.openListAgeMs + 1);
    await world.openBatches.rank(tenant, idOf(3));
    expect(lists).toBe(3);
  });
});
