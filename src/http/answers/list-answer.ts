import type { FastifyReply } from 'fastify';
import type { ListPage } from '../../contract/file-object.js';
import { bounds } from '../../domain/bounds.js';

export type AnyListPage = ListPage<{ readonly id: string }>;

/** The JSON of a page. It ends before the entry that would pass the bound: there are more then, behind the last one that is shown. */
export function toListJson({ data, ...page }: AnyListPage): string {
  const shown: string[] = [];
  let bytes = 0;
  for (const entry of data) {
    const json = JSON.stringify(entry);
    bytes += Buffer.byteLength(json);
    if (shown.length > 0 && bytes > bounds.listPageBytes) break;
    shown.push(json);
  }
  const cut = shown.length < data.length;
  const last = cut ? (data[shown.length - 1]?.id ?? null) : page.last_id;
  const { object, first_id, has_more } = page;
  const rest = JSON.stringify({ first_id, last_id: last, has_more: has_more || cut });
  return `{"object":${JSON.stringify(object)},"data":[${shown.join(',')}],${rest.slice(1)}`;
}

export const sendList = (reply: FastifyReply, page: AnyListPage): FastifyReply =>
  reply.type('application/json; charset=utf-8').send(toListJson(page));
