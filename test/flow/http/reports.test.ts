import { NotFoundError, toFile } from 'openai';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listAdminReports } from '../../../src/cli/commands/admin-reports.js';
import { reportObject, type ReportObject } from '../../../src/contract/report-object.js';
import { bounds } from '../../../src/domain/bounds.js';
import { keys } from '../../../src/domain/object-keys.js';
import { mend, stopAtWrite } from '../../support/store-faults.js';
import { keyB, putJson, tenantA } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

interface List {
  readonly data: ReportObject[];
  readonly last_id: string | null;
  readonly has_more: boolean;
}

async function withBatch(): Promise<{ server: Listening; batchId: string }> {
  const server = await listening();
  const { client, world } = server;
  const file = await client.files.create({ file: await toFile(Buffer.from('sesame\n'), 'a.jsonl'), purpose: 'batch' });
  const batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/completions',
    completion_window: '24h',
  });
  await putJson(world, keys.plan(tenantA, batch.id), {
    v: 1,
    kind: 'work',
    plannedMs: 1,
    endpoint: '/v1/completions',
    model: 'm',
    lines: 2,
    tokens: 2,
    shards: [],
  });
  return { server, batchId: batch.id };
}

const file = ({ client }: Listening, body: object): Promise<ReportObject> => client.post('/reports', { body });

test('a bad answer is reported by its line, its custom_id or its id, listed, shown and removed', async () => {
  const { server, batchId } = await withBatch();
  const { client, world } = server;
  const bodies = [
    { batch_id: batchId, line: 2, reason: 'harmful', comment: 'Tells how to.' },
    { batch_id: batchId, custom_id: 'a\u001b[2J', reason: 'false' },
    { completion_id: 'chatcmpl-01', reason: 'private_data' },
  ];
  const made: ReportObject[] = [];
  for (const body of bodies) {
    const report = await file(server, body);
    expect(reportObject.parse(report)).toMatchObject({ object: 'report', ...body });
    made.push(report);
    await world.clock.advance(1000);
  }
  expect(made[0]).toMatchObject({ custom_id: null, completion_id: null });
  expect((await file(server, bodies[0] ?? {})).id, 'the same report again').toBe(made[0]?.id);
  expect((await client.get<List>('/reports')).data).toEqual(made.toReversed());
  const first = await client.get<List>('/reports?limit=2&order=asc');
  expect(first).toMatchObject({ data: made.slice(0, 2), has_more: true });
  expect(await client.get<List>(`/reports?limit=2&order=asc&after=${first.last_id}`)).toMatchObject({
    data: made.slice(2),
    has_more: false,
  });
  const id = made[0]?.id ?? '';
  expect(await client.get(`/reports/${id}`)).toEqual(made[0]);
  expect(await client.delete(`/reports/${id}`)).toEqual({ id, object: 'report', deleted: true });
  await expect(client.get(`/reports/${id}`)).rejects.toBeInstanceOf(NotFoundError);
  expect((await client.get<List>('/reports')).data).toHaveLength(2);
  const warned = world.log.of('report.filed');
  expect(warned.map(({ fields }) => fields['reportId'])).toEqual(made.map((report) => report.id));
  expect(JSON.stringify(world.log.entries), 'what users write is not logged').not.toContain('Tells how');
});

test('reports belong to their tenant, and so do the batches they point at', async () => {
  const { server, batchId } = await withBatch();
  const report = await file(server, { batch_id: batchId, line: 1, reason: 'biased' });
  const headers = { authorization: `Bearer ${keyB}`, 'content-type': 'application/json' };
  for (const method of ['GET', 'DELETE'])
    expect((await server.call(`/v1/reports/${report.id}`, { method, headers })).status).toBe(404);
  expect(await (await server.call('/v1/reports', { headers })).json()).toMatchObject({ data: [] });
  const answers = await Promise.all(
    [batchId, 'batch_none'].map(async (batch_id) => {
      const body = JSON.stringify({ batch_id, line: 1, reason: 'biased' });
      const response = await server.call('/v1/reports', { method: 'POST', headers, body });
      expect(response.status).toBe(404);
      return (await errorOf(response)).message.replace(batch_id, 'ID');
    }),
  );
  expect(answers[0]).toBe(answers[1]);
});

test.each([
  [{ reason: 'harmful' }, 'batch_id'],
  [{ line: 1, reason: 'harmful' }, 'batch_id'],
  [{ batch_id: 'batch_1', reason: 'harmful' }, 'line'],
  [{ batch_id: 'batch_1', line: 1, custom_id: 'a', reason: 'harmful' }, 'line'],
  [{ batch_id: 'batch_1', completion_id: 'cmpl-1', reason: 'harmful' }, 'completion_id'],
  [{ completion_id: 'file-1', reason: 'harmful' }, 'completion_id'],
  [{ batch_id: 'batch_1', line: 0, reason: 'harmful' }, 'line'],
  [{ completion_id: 'cmpl-1' }, 'reason'],
  [{ completion_id: 'cmpl-1', reason: 'ugly' }, 'reason'],
  [{ completion_id: 'cmpl-1', reason: 'other', comment: 'x'.repeat(2001) }, 'comment'],
  [{ completion_id: 'cmpl-1', reason: 'other', prompt: 'x' }, 'prompt'],
])('a report with %j is refused', async (body, param) => {
  const { call } = await listening();
  const headers = { 'content-type': 'application/json' };
  const response = await call('/v1/reports', { method: 'POST', headers, body: JSON.stringify(body) });
  expect(response.status).toBe(400);
  expect((await errorOf(response)).param).toBe(param);
});

test('a line that the batch has not, and one report too many, are refused', async () => {
  const { server, batchId } = await withBatch();
  await expect(file(server, { batch_id: batchId, line: 3, reason: 'false' })).rejects.toMatchObject({
    status: 400,
    param: 'line',
    message: expect.stringContaining('2 lines') as string,
  });
  for (let n = 0; n < bounds.reportsMax; n++)
    await server.world.store.put(keys.reportIndexEntry(tenantA, n, `report_${n}`), Buffer.of());
  await expect(file(server, { completion_id: 'cmpl-1', reason: 'false' })).rejects.toMatchObject({
    status: 409,
    code: 'too_many_reports',
  });
});

test('of reports at once as many are kept as there may be', async () => {
  const { server } = await withBatch();
  for (let n = 0; n < bounds.reportsMax - 3; n++)
    await server.world.store.put(keys.reportIndexEntry(tenantA, n, `report_${n}`), Buffer.of());
  const results = await Promise.allSettled(
    Array.from({ length: 40 }, (_, n) => file(server, { completion_id: `cmpl-${n}`, reason: 'false' })),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
  expect((await server.world.store.list(keys.reportIndex(tenantA))).objects).toHaveLength(bounds.reportsMax);
});

test('a crash at any write of a report loses nothing that was answered, and a repeat is safe', async () => {
  for (const when of ['before', 'after'] as const)
    for (let at = 0; ; at++) {
      const { server } = await withBatch();
      const { client, world } = server;
      const crash = stopAtWrite(world.store, at, when);
      const body = { completion_id: 'cmpl-1', reason: 'false' };
      await client.post('/reports', { body, maxRetries: 0 }).catch(() => null);
      mend(world.store);
      await world.clock.advance(5000);
      const report = await file(server, body);
      expect((await client.get<List>('/reports')).data).toEqual([report]);
      if (!crash.stopped()) {
        expect(at).toBe(2);
        break;
      }
    }
});

let out = '';
beforeEach(() => {
  out = '';
});
afterEach(() => vi.restoreAllMocks());

test('the operator reads a tenant’s reports from the store', async () => {
  const { server, batchId } = await withBatch();
  await file(server, { batch_id: batchId, line: 2, reason: 'harmful', comment: 'a\u001b[2J\nb' });
  await server.world.clock.advance(60_000);
  await file(server, { completion_id: 'cmpl-1', reason: 'false' });
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  await listAdminReports(server.world, { tenant: tenantA, json: false });
  const lines = out.trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^report_\w+ {2}2026-01-01 00:01 {2}false +cmpl-1$/);
  expect(lines[1]).toContain(`harmful       ${batchId} line 2  "a\\u001b[2J\\nb"`);
  out = '';
  await listAdminReports(server.world, { tenant: tenantA, json: true });
  expect(JSON.parse(out)).toHaveLength(2);
  await expect(listAdminReports(server.world, { tenant: 'A B', json: true })).rejects.toMatchObject({
    param: '--tenant',
  });
});
