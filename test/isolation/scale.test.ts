import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import { Client } from '../support/programs/client.js';
import { keyOf, modelId, Service } from '../support/programs/service.js';

// Much at once, by three tenants of unlike weights: all of it comes out right, and while all three have work waiting each gets its
// share.
const weights = { one: 1, two: 2, four: 4 } as const;
type Tenant = keyof typeof weights;
const tenants = Object.keys(weights) as Tenant[];
const weightsSum = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
/** How far a share may be from its tenant's by weight, of the latter. */
const tolerance = 0.2;
const testMs = 240_000;

let service: Service;
let clients: Readonly<Record<Tenant, Client>>;
beforeAll(async () => {
  service = await Service.start({
    store: 'folder',
    tenants: tenants.map((tenant) => ({ tenant, weight: weights[tenant], quotas: { requestsPerMinute: null } })),
  });
  clients = Object.fromEntries(
    tenants.map((tenant) => [tenant, new Client({ url: service.url, key: keyOf(tenant) })]),
  ) as typeof clients;
}, testMs);
afterAll(async () => {
  for (const client of Object.values(clients ?? {})) client.close();
  await service?.stop();
});

const tenantAt = (at: number): Tenant => tenants[at % tenants.length] ?? 'one';
const each = <T>(count: number, step: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => step(at)));

const rssMb = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${service.program('api').pid}/status`, 'utf8'))?.[1]) / 1024;

function expectShares(counts: Readonly<Record<Tenant, number>>): void {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  process.stdout.write(`finished while all had work waiting, by weights 1, 2, 4: ${JSON.stringify(counts)}\n`);
  for (const tenant of tenants) {
    const due = (all * weights[tenant]) / weightsSum;
    expect(
      Math.abs(counts[tenant] - due) / due,
      `${tenant}: ${counts[tenant]} of ${all}, ${due.toFixed(0)} are due`,
    ).toBeLessThan(tolerance);
  }
}

test(
  '2,000 connections with one request each',
  async () => {
    const newcomers = tenants.map((tenant) => new Client({ url: service.url, key: keyOf(tenant), keepAlive: false }));
    const before = rssMb();
    const statuses = await each(2000, async (at) => {
      const { status } = (await newcomers[at % newcomers.length]?.call('GET', '/v1/models')) ?? { status: 0 };
      return status;
    });
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(rssMb() - before).toBeLessThan(300);
  },
  testMs,
);

/** Reads a stream to its end; gives what is wrong with it, or null. A refusal for now is tried again, as clients do. */
async function readStream(tenant: Tenant, at: number): Promise<string | null> {
  const body = {
    model: modelId,
    messages: [{ role: 'user', content: `What is ${at} plus 3?` }],
    max_tokens: 24,
    ignore_eos: true,
    stream: true,
  };
  for (;;) {
    let last = '';
    let reason: string | null = null;
    try {
      for await (const event of clients[tenant].events('/v1/chat/completions', body, { timeoutMs: testMs })) {
        last = event;
        if (event === '[DONE]') continue;
        const chunk = JSON.parse(event) as { choices?: { finish_reason: string | null }[]; error?: object };
        if (chunk.error) return JSON.stringify(chunk.error);
        reason = chunk.choices?.[0]?.finish_reason ?? reason;
      }
    } catch (error) {
      if (last === '' && /: (429|503) /.test((error as Error).message)) {
        await sleep(200);
        continue;
      }
      return (error as Error).message;
    }
    if (last !== '[DONE]') return 'ended before [DONE]';
    return reason === 'length' || reason === 'stop' ? null : `finish_reason ${reason}`;
  }
}

test(
  '300 streams at once: every one is complete',
  async () => {
    const faults = await each(300, (at) => readStream(tenantAt(at), at));
    expect(faults.filter((fault) => fault !== null)).toEqual([]);
  },
  testMs,
);

interface BatchSeen {
  readonly id: string;
  readonly status: string;
  readonly request_counts: object;
}

test(
  '200 batches at once: every one is completed, with right counts and in order',
  async () => {
    const lines = 5;
    const created = await each(200, async (at) => {
      const requests = Array.from({ length: lines }, (_, line) => ({
        custom_id: `batch-${at}-line-${line}`,
        body: { model: modelId, prompt: `<human>: What is ${at} plus ${line}?\n<bot>:`, max_tokens: 2 },
      }));
      const body = { endpoint: '/v1/completions', completion_window: '24h', eyrie: { requests } };
      const { id } = await clients[tenantAt(at)].json<BatchSeen>('POST', '/v1/batches', body, { timeoutMs: testMs });
      return id;
    });
    for (const [at, id] of created.entries()) {
      const client = clients[tenantAt(at)];
      let batch: BatchSeen | null = null;
      await eventually(
        `the end of batch ${at}`,
        async () => {
          batch = await client.json<BatchSeen>('GET', `/v1/batches/${id}`);
          return batch.status === 'completed';
        },
        testMs,
      );
      expect(batch).toMatchObject({ request_counts: { total: lines, completed: lines, failed: 0 } });
      const { data } = await client.json<{ data: { custom_id: string }[] }>('GET', `/v1/batches/${id}/results`);
      expect(data.map(({ custom_id }) => custom_id)).toEqual(
        Array.from({ length: lines }, (_, line) => `batch-${at}-line-${line}`),
      );
    }
  },
  testMs,
);

test(
  'live calls: while all tenants wait, each has its share by weight',
  async () => {
    const callsAtOnce = 40;
    const warmUpMs = 3000;
    const measuredMs = 12_000;
    const counts: Record<Tenant, number> = { one: 0, two: 0, four: 0 };
    const startMs = performance.now();
    const endMs = startMs + warmUpMs + measuredMs;
    const body = { model: modelId, prompt: 'Once upon a time', max_tokens: 40, ignore_eos: true };
    await each(tenants.length * callsAtOnce, async (at) => {
      const tenant = tenantAt(at);
      while (performance.now() < endMs) {
        const { status } = await clients[tenant].call('POST', '/v1/completions', body, { timeoutMs: testMs });
        const now = performance.now();
        if (status === 200 && now > startMs + warmUpMs && now < endMs) counts[tenant]++;
        else if (status === 429 || status === 503) await sleep(50);
        else expect(status).toBe(200);
      }
    });
    expectShares(counts);
  },
  testMs,
);

test(
  'planned batches: while all tenants wait, each has its share by weight',
  async () => {
    const batchesEach = 60;
    const content = Array.from({ length: 1000 }, (_, line) =>
      JSON.stringify({
        custom_id: `line-${line}`,
        method: 'POST',
        url: '/v1/completions',
        body: { model: modelId, prompt: `${line} ${'what is twelve plus thirty and '.repeat(8)}`, max_tokens: 1 },
      }),
    ).join('\n');
    const files = Object.fromEntries(
      await Promise.all(tenants.map(async (tenant) => [tenant, await clients[tenant].upload(content)] as const)),
    ) as Record<Tenant, string>;
    const created = await each(tenants.length * batchesEach, async (at) => {
      const tenant = tenantAt(at);
      const body = { input_file_id: files[tenant], endpoint: '/v1/completions', completion_window: '24h' };
      const { id } = await clients[tenant].json<BatchSeen>('POST', '/v1/batches', body, { timeoutMs: testMs });
      return { tenant, id };
    });
    const allWait = Date.now();
    const tenantOf = new Map(created.map(({ tenant, id }) => [id, tenant]));
    /** Batches in the order in which they were planned, with when. */
    const planned = (): { readonly tenant: Tenant; readonly atMs: number }[] =>
      service
        .log('control')
        .split('\n')
        .filter((line) => line.includes('"batch.planned"'))
        .flatMap((line) => {
          const { batchId, time } = JSON.parse(line) as { batchId: string; time: string };
          const tenant = tenantOf.get(batchId);
          return tenant === undefined ? [] : [{ tenant, atMs: Date.parse(time) }];
        });
    const countOf = (list: readonly { readonly tenant: Tenant }[], tenant: Tenant): number =>
      list.filter((entry) => entry.tenant === tenant).length;
    await eventually(
      'the plans of a tenant',
      () => tenants.some((tenant) => countOf(planned(), tenant) === batchesEach),
      testMs / 2,
    );
    // What was planned while batches were still created, and after one tenant had none left, tells nothing of shares.
    const measured: Tenant[] = [];
    const left: Record<Tenant, number> = { one: batchesEach, two: batchesEach, four: batchesEach };
    for (const { tenant, atMs } of planned()) {
      left[tenant]--;
      if (atMs > allWait) measured.push(tenant);
      if (left[tenant] === 0) break;
    }
    expect(measured.length, 'plans after the last batch was created').toBeGreaterThan(40);
    const count = (tenant: Tenant): number => measured.filter((name) => name === tenant).length;
    try {
      expectShares({ one: count('one'), two: count('two'), four: count('four') });
    } finally {
      await each(created.length, async (at) => {
        const { tenant, id } = created[at] ?? { tenant: 'one', id: '' };
        await clients[tenant].call('POST', `/v1/batches/${id}/cancel`).catch(() => undefined);
      });
    }
  },
  testMs,
);
