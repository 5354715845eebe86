import { expect, test } from 'vitest';
import { errorOf, listening } from './listening.js';

const id = 'h2oai/h2ogpt-oig-oasst1-falcon-40b';

test('models are listed and shown by ids with a slash, raw and encoded, and by alias', async () => {
  const { client, call } = await listening();
  const seen: string[] = [];
  for await (const model of client.models.list()) seen.push(model.id);
  expect(seen).toEqual([id]);
  expect(await client.models.retrieve(id)).toMatchObject({ id, object: 'model', owned_by: 'h2oai' });
  expect(await (await call(`/v1/models/${id}`)).json()).toMatchObject({ id, eyrie: { context_length: 2048 } });
  expect(await client.models.retrieve('falcon')).toMatchObject({ id });
});

test('an unknown model is named in the error', async () => {
  const { call } = await listening();
  const response = await call('/v1/models/gpt%2F4');
  expect(response.status).toBe(404);
  expect(await errorOf(response)).toMatchObject({ code: 'model_not_found', message: expect.stringContaining('gpt/4') });
});

test('health needs no key and no store; readiness says what is missing', async () => {
  const { url, world } = await listening();
  const get = async (path: string) => {
    const response = await fetch(url + path);
    return { status: response.status, body: await response.json() };
  };
  expect(await get('/ready')).toEqual({ status: 200, body: { status: 'ready', store: 'ok', queue: 'ok' } });
  world.queue.unavailable = true;
  await world.clock.advance(2000);
  expect(await get('/ready')).toEqual({ status: 200, body: { status: 'degraded', store: 'ok', queue: 'unavailable' } });
  world.store.fault = () => ({ fail: 'before' });
  expect((await get('/ready')).status, 'probes within a second share an answer').toBe(200);
  await world.clock.advance(2000);
  expect(await get('/ready')).toMatchObject({ status: 503, body: { status: 'unavailable', store: 'unavailable' } });
  expect(await get('/health')).toEqual({ status: 200, body: { status: 'ok' } });
});
