import { expect, test } from 'vitest';
import { toListPage } from '../../../src/contract/file-object.js';
import { bounds } from '../../../src/domain/bounds.js';
import { toListJson } from '../../../src/http/answers/list-answer.js';

const entries = (count: number, chars: number) =>
  Array.from({ length: count }, (_, at) => ({ id: `id_${at}`, text: 'x'.repeat(chars) }));

test('a small page is shown as it is', () => {
  for (const page of [
    toListPage(entries(3, 10), false),
    toListPage(entries(3, 10), true, 'id_far'),
    toListPage([], true, 'id_far'),
    toListPage([], false),
  ])
    expect(JSON.parse(toListJson(page))).toEqual(page);
});

test('a page ends before the entry that would pass the bound; the next one goes on there', () => {
  const page = toListPage(entries(100, 100_000), false, 'id_99');
  const json = toListJson(page);
  expect(json.length).toBeLessThan(bounds.listPageBytes + 1000);
  expect(JSON.parse(json)).toMatchObject({ object: 'list', first_id: 'id_0', last_id: 'id_40', has_more: true });
  expect((JSON.parse(json) as typeof page).data).toEqual(page.data.slice(0, 41));
});

test('bytes are what counts, and an entry that is larger than a page is one by itself', () => {
  const wide = toListPage(
    [...entries(2, 1)].map((entry) => ({ ...entry, text: 'é'.repeat(1_500_000) })),
    false,
  );
  expect((JSON.parse(toListJson(wide)) as typeof wide).data).toHaveLength(1);
  const large = toListPage(entries(2, bounds.listPageBytes + 1), false);
  expect(JSON.parse(toListJson(large))).toMatchObject({ data: [{ id: 'id_0' }], last_id: 'id_0', has_more: true });
});
