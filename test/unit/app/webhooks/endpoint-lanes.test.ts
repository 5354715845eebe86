import { expect, test } from 'vitest';
import { EndpointLanes } from '../../../../src/app/webhooks/endpoint-lanes.js';
import { bounds } from '../../../../src/domain/bounds.js';

const job = (id: string) => ({ id, payload: {} });

test('a full lane lets nobody in and gives back those who waited, oldest first and once each', () => {
  const lanes = new EndpointLanes();
  for (let n = 0; n < bounds.webhookPostsPerEndpoint; n++) expect(lanes.enter('a', job(`in-${n}`))).toBe(true);
  expect(lanes.enter('a', job('first'))).toBe(false);
  expect(lanes.enter('a', job('first'))).toBe(false);
  expect(lanes.enter('a', job('second'))).toBe(false);
  expect(lanes.leave('a')).toMatchObject({ id: 'first' });
  expect(lanes.leave('a')).toMatchObject({ id: 'second' });
  expect(lanes.leave('a')).toBeNull();
  expect(lanes.enter('a', job('third'))).toBe(true);
});

test('other lanes are not touched', () => {
  const lanes = new EndpointLanes();
  for (let n = 0; n <= bounds.webhookPostsPerEndpoint; n++) lanes.enter('a', job(`in-${n}`));
  expect(lanes.enter('b', job('x'))).toBe(true);
  expect(lanes.leave('b')).toBeNull();
});
