import { expect, test } from 'vitest';
import {
  changeEndpoint,
  findEndpoint,
  listEndpoints,
  writeRevision,
} from '../../../../src/app/webhooks/endpoint-revisions.js';
import { deleteEndpoint } from '../../../../src/app/webhooks/delete-endpoint.js';
import type { StoredEndpoint } from '../../../../src/contract/stored-webhooks.js';
import { fakeWorld } from '../../../support/fake-world.js';
import { makeEndpoint } from '../../../support/webhook-calls.js';

const tenant = 'acme';
const describeAs = (description: string) => (now: StoredEndpoint) => ({ ...now, description });

async function opened() {
  const world = fakeWorld();
  const { id } = await makeEndpoint(world, tenant);
  const load = async (): Promise<StoredEndpoint> => {
    const endpoint = await findEndpoint(world.store, tenant, id);
    if (!endpoint) throw new Error('the endpoint is gone');
    return endpoint;
  };
  return { world, id, load };
}

test('of changes at the same time none is lost', async () => {
  const { world, id, load } = await opened();
  const append = (letter: string) =>
    changeEndpoint<StoredEndpoint>(world.store, tenant, id, (now) => ({
      ...now,
      description: (now.description ?? '') + letter,
    }));
  await Promise.all(['a', 'b', 'c', 'd'].map(append));
  expect(Array.from((await load()).description ?? '').toSorted()).toEqual(['a', 'b', 'c', 'd']);
  expect(await load()).toMatchObject({ revision: 5 });
  expect(
    world.store.keys().filter((key) => key.includes(id)),
    'earlier ones are removed',
  ).toHaveLength(1);
});

test('a writer that slept while others went on by two takes nothing back', async () => {
  const { world, id, load } = await opened();
  const before = await load();
  await changeEndpoint<StoredEndpoint>(world.store, tenant, id, describeAs('second'));
  await changeEndpoint<StoredEndpoint>(world.store, tenant, id, describeAs('third'));
  expect(await writeRevision(world.store, tenant, { ...before, description: 'late', revision: 2 })).toBe(false);
  expect(await load()).toMatchObject({ description: 'third', revision: 3 });
  expect(world.store.keys().filter((key) => key.includes(id))).toHaveLength(1);
});

test('a deleted endpoint does not come back by a change that was under way', async () => {
  const { world, id, load } = await opened();
  const before = await load();
  await deleteEndpoint(world, tenant, id);
  expect(await writeRevision(world.store, tenant, { ...before, description: 'late', revision: 2 })).toBe(false);
  await expect(changeEndpoint<StoredEndpoint>(world.store, tenant, id, describeAs('x'))).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(await findEndpoint(world.store, tenant, id)).toBeNull();
  expect(await listEndpoints(world.store, tenant)).toEqual([]);
});

test('tombstones are removed by a creation a day later', async () => {
  const { world, id } = await opened();
  await deleteEndpoint(world, tenant, id);
  await makeEndpoint(world, tenant);
  expect(world.store.keys().filter((key) => key.includes(id))).toHaveLength(1);
  await world.clock.advance(25 * 3600 * 1000);
  await makeEndpoint(world, tenant);
  expect(world.store.keys().filter((key) => key.includes(id))).toEqual([]);
});

test('a revision that is replaced between listing and reading is no missing endpoint', async () => {
  const { world, id } = await opened();
  let changes = 0;
  world.store.fault = ({ operation, key }) => {
    if (operation !== 'get' || !key.includes(`/endpoints/${id}/`) || changes++ > 0) return undefined;
    // Between the listing and this read.
    void changeEndpoint<StoredEndpoint>(world.store, tenant, id, describeAs('new'));
    return { delayMs: 1000 };
  };
  const finding = findEndpoint(world.store, tenant, id);
  await world.clock.advance(2000);
  expect(await finding).toMatchObject({ description: 'new' });
});
