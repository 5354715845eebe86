import { describe, expect, test } from 'vitest';
import { listBatches } from '../../../src/app/list-batches.js';
import type { BatchObject } from '../../../src/contract/batch-object.js';
import { completionLine, FakeService, tenant } from '../../support/fake-service.js';

const content = [completionLine('1', 'one'), completionLine('2', 'two'), 'x'].join('\n');

async function dropped(
  service: FakeService,
  ...files: readonly (readonly [string, string])[]
): Promise<readonly BatchObject[]> {
  service.startControl();
  service.startGenerate();
  for (const [name, text] of files) await service.world.store.put(`inbox/${tenant}/${name}`, Buffer.from(text));
  await service.settle();
  return (await listBatches(service.world, tenant, { after: null, limit: 100, order: 'desc' })).data;
}

const outbox = (service: FakeService): string[] =>
  service.world.store.keys().filter((key) => key.startsWith('outbox/'));

describe('a file dropped into the inbox', () => {
  test('becomes one batch, whose results lie in the outbox with a manifest', async () => {
    const service = new FakeService();
    const [batch, ...more] = await dropped(service, ['week 1/in.jsonl', content]);
    expect(more).toEqual([]);
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 3, completed: 2, failed: 1 },
      eyrie: { source: 'inbox' },
    });
    const root = `outbox/${tenant}/in.${batch?.id}/`;
    expect(outbox(service)).toEqual([`${root}errors.jsonl`, `${root}manifest.json`, `${root}output.jsonl`]);
    const manifest = JSON.parse(service.world.store.text(`${root}manifest.json`) ?? '') as unknown;
    expect(manifest).toMatchObject({
      batch_id: batch?.id,
      status: 'completed',
      source: { key: `inbox/${tenant}/week 1/in.jsonl` },
      output: { lines: 2 },
    });
    expect(service.world.store.text(`${root}output.jsonl`)?.match(/"text":"(ONE|TWO)"/g)).toHaveLength(2);
  });

  test('gets no damaged results: the copy is tried again until they are mended', async () => {
    const service = new FakeService();
    const { store } = service.world;
    let damagedKey = '';
    const create = store.create.bind(store);
    store.create = async (key, bytes) => {
      // Right before the batch ends, so before any copy is made.
      if (key.endsWith('/manifest.json')) {
        damagedKey = store.keys().find((name) => /\/out\/.*$/.test(name)) ?? '';
        await store.put(damagedKey, Buffer.from((store.text(damagedKey) ?? '').replace('ONE', 'ONX')));
      }
      return create(key, bytes);
    };
    const [batch] = await dropped(service, ['in.jsonl', content]);
    expect(outbox(service), 'nothing is seen of it').toEqual([]);
    const deliveries = store.keys().filter((key) => key.includes('/deliveries/'));
    expect(store.text(deliveries[0] ?? '')).toContain('is not what was written');
    await store.put(damagedKey, Buffer.from((store.text(damagedKey) ?? '').replace('ONX', 'ONE')));
    await service.world.clock.advance(24 * 3600 * 1000);
    const root = `outbox/${tenant}/in.${batch?.id}/`;
    expect(store.text(`${root}output.jsonl`)).toBe(store.text(damagedKey));
    expect(store.text(`${root}manifest.json`)).not.toBeNull();
  });

  test('is not taken twice, not after a restart either; another version is another batch', async () => {
    const service = new FakeService();
    await dropped(service, ['in.jsonl', content]);
    service.startControl();
    await service.settle();
    expect((await listBatches(service.world, tenant, { after: null, limit: 100, order: 'desc' })).data).toHaveLength(1);
    await service.world.store.put(
      `inbox/${tenant}/in.jsonl`,
      Buffer.from(`${content}\n${completionLine('3', 'three')}`),
    );
    await service.settle();
    expect((await listBatches(service.world, tenant, { after: null, limit: 100, order: 'desc' })).data).toHaveLength(2);
  });

  test('is left alone while it grows and while its name says that it is not ready', async () => {
    const service = new FakeService();
    service.startControl();
    // The first look is over.
    await service.world.clock.advance(0);
    const key = `inbox/${tenant}/in.jsonl`;
    for (let bytes = 1; bytes <= 5; bytes++) {
      await service.world.store.put(key, Buffer.from(content.slice(0, bytes)));
      await service.world.clock.advance(1000);
    }
    await service.world.store.put(`inbox/${tenant}/.hidden.jsonl`, Buffer.from(content));
    await service.world.store.put(`inbox/${tenant}/later.jsonl.part`, Buffer.from(content));
    expect(service.world.store.keys().some((name) => name.endsWith('submit.json'))).toBe(false);
  });

  test('that is no JSONL file is answered in the outbox', async () => {
    const service = new FakeService();
    expect(await dropped(service, ['table.csv', 'a,b'])).toEqual([]);
    const [key, ...more] = outbox(service);
    expect(more).toEqual([]);
    expect(JSON.parse(service.world.store.text(key ?? '') ?? '')).toMatchObject({
      source: { key: `inbox/${tenant}/table.csv` },
      error: { code: 'unsupported_value' },
    });
  });

  test('takes its endpoint from its first request', async () => {
    const service = new FakeService();
    const chat = JSON.stringify({
      custom_id: 'c',
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: 'falcon', messages: [{ role: 'user', content: 'Hi' }] },
    });
    const [batch] = await dropped(service, ['chat.jsonl', chat]);
    expect(batch).toMatchObject({ status: 'completed', endpoint: '/v1/chat/completions' });
  });
});
