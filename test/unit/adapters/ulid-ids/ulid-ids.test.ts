import { expect, it } from 'vitest';
import { UlidIds } from '../../../../src/adapters/ulid-ids/ulid-ids.js';
import { idPrefixes, isId, type IdKind } from '../../../../src/domain/ids.js';

it('makes ids of every kind that pass the check of ids', () => {
  const ids = new UlidIds();
  for (const kind of Object.keys(idPrefixes) as IdKind[]) expect(isId(kind, ids.next(kind))).toBe(true);
});

it('counts up within one ms, sorts by time, and repeats none', () => {
  let now = 1_800_000_000_000;
  const ids = new UlidIds(() => now);
  const made = Array.from({ length: 1000 }, () => ids.next('batch'));
  now += 1;
  made.push(ids.next('batch'));
  // A clock that goes back does not make ids that sort before those made.
  now -= 500;
  made.push(ids.next('batch'));
  expect(made).toEqual(made.toSorted());
  expect(new Set(made).size).toBe(1002);
});

it('takes another random part in another process', () => {
  const [a, b] = [new UlidIds(() => 5), new UlidIds(() => 5)];
  expect(a.next('event')).not.toBe(b.next('event'));
});
