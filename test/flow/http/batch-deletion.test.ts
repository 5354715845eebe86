import { ConflictError, NotFoundError, toFile } from 'openai';
import { expect, test } from 'vitest';
import { endBatch } from './fake-world.js';
import { errorOf, listening, type Listening } from './listening.js';

const request = { endpoint: '/v1/completions', completion_window: '24h' } as const;

async function create({ client }: Listening): Promise<string> {
  const file = await client.files.create({ file: await toFile(Buffer.from('{}\n'), 'a.jsonl'), purpose: 'batch' });
  return (await client.batches.create({ ...request, input_file_id: file.id })).id;
}

test('an ended batch is deleted, again and again, and is gone from every call', async () => {
  const server = await listening();
  const { client, world } = server;
  const id = await create(server);
  await endBatch(world, id, null);
  for (let n = 0; n < 2; n++)
    expect(await client.delete(`/batches/${id}`), `call ${n}`).toEqual({ id, object: 'batch', deleted: true });
  await expect(client.batches.retrieve(id)).rejects.toBeInstanceOf(NotFoundError);
  await expect(client.batches.cancel(id)).rejects.toBeInstanceOf(NotFoundError);
  expect((await client.batches.list()).data).toEqual([]);
  expect((await server.call(`/v1/batches/${id}/results`)).status).toBe(404);
});

test('a batch that has not ended is not deleted, and the client asks once', async () => {
  const server = await listening();
  const { client, world } = server;
  const id = await create(server);
  const error = await client.delete(`/batches/${id}`).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ConflictError);
  expect(error).toMatchObject({ code: 'batch_not_ended', message: expect.stringContaining('/cancel') as string });
  const calls = world.log.of('http.request').filter(({ fields }) => fields['status'] === 409);
  expect(calls).toHaveLength(1);
  expect((await client.batches.retrieve(id)).status).toBe('validating');
});

test('lists are walked in both orders by any page size, each batch once', async () => {
  const server = await listening();
  const { call, world } = server;
  const made: string[] = [];
  for (let n = 0; n < 7; n++) {
    made.push(await create(server));
    // Two of one millisecond now and then: the id decides, the same way in both orders.
    if (n % 3 !== 0) await world.clock.advance(1);
  }
  const walk = async (order: string, limit: number): Promise<string[]> => {
    const seen: string[] = [];
    for (let after = ''; ;) {
      const response = await call(`/v1/batches?order=${order}&limit=${limit}${after && `&after=${after}`}`);
      const page = (await response.json()) as { data: { id: string }[]; last_id: string | null; has_more: boolean };
      expect(page.data.length, 'never empty with more to come').toBeGreaterThan(0);
      seen.push(...page.data.map(({ id }) => id));
      if (!page.has_more) return seen;
      after = page.last_id ?? '';
    }
  };
  const newest = await walk('desc', 100);
  expect(newest.toSorted()).toEqual(made.toSorted());
  for (const limit of [1, 2, 3, 6, 7, 8]) {
    expect(await walk('desc', limit)).toEqual(newest);
    expect(await walk('asc', limit)).toEqual(newest.toReversed());
  }
  expect(await (await call('/v1/batches')).json(), 'without an order').toMatchObject({ first_id: newest[0] });
  for (const [query, param] of [
    ['order=up', 'order'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['after=batch_unknown', 'after'],
    ['after=..', 'after'],
  ]) {
    const response = await call(`/v1/batches?${query}`);
    expect({ query, status: response.status, param: (await errorOf(response)).param }).toEqual({
      query,
      status: 400,
      param,
    });
  }
});

test('what is another tenant’s and what is not there give the same answer on every route with an id', async () => {
  const server = await listening();
  const { client, world, url } = server;
  const file = await client.files.create({ file: await toFile(Buffer.from('{}\n'), 'a.jsonl'), purpose: 'batch' });
  const batch = await client.batches.create({ ...request, input_file_id: file.id });
  await endBatch(world, batch.id, null);
  const upload = await client.uploads.create({ purpose: 'batch', filename: 'u', bytes: 1, mime_type: 'text/plain' });
  const own = { file_id: file.id, batch_id: batch.id, upload_id: upload.id };
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({ method: method.toUpperCase(), path })),
  );
  const withId = routes.filter(({ path }) => Object.keys(own).some((name) => path.includes(`{${name}}`)));
  expect(withId.length).toBeGreaterThanOrEqual(10);
  const headers = { authorization: 'Bearer ey_b_secret', 'content-type': 'application/json' };
  for (const { method, path } of withId) {
    const ask = async (ids: Record<string, string>) => {
      const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? 'x');
      const form = new FormData();
      form.set('data', new Blob(['x']), 'x');
      const isForm = path.endsWith('/parts');
      const init = {
        method,
        headers: isForm ? { authorization: headers.authorization } : headers,
        ...(method === 'POST' ? { body: isForm ? form : path.endsWith('/complete') ? '{"part_ids":[]}' : '{}' } : {}),
      };
      const response = await fetch(url + target, init);
      const text = await response.text();
      return { status: response.status, text: Object.values(ids).reduce((all, id) => all.replaceAll(id, 'ID'), text) };
    };
    const foreign = await ask(own);
    const absent = await ask({ file_id: 'file-none', batch_id: 'batch_none', upload_id: 'upload_none' });
    expect({ method, path, ...foreign }).toEqual({ method, path, ...absent });
    expect(foreign.status, `${method} ${path}`).toBe(404);
  }
  const cursors = ['/v1/files', '/v1/batches'].map(async (path) => {
    const after = path === '/v1/files' ? file.id : batch.id;
    const foreign = await (await fetch(`${url}${path}?after=${after}`, { headers })).text();
    const absent = await (await fetch(`${url}${path}?after=${after}0`, { headers })).text();
    expect(foreign).toBe(absent.replace(`${after}0`, after));
  });
  await Promise.all(cursors);
  expect((await client.batches.retrieve(batch.id)).status, 'untouched').toBe('completed');
});
