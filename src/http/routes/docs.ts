import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { toDocsPage } from '../openapi/docs-page.js';
import { toOpenApi } from '../openapi/document.js';

/** The page holds a style and nothing that runs. */
const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/**
 * The API in writing: for programs and for people. Both are made from the routes themselves, once, when first asked for; all answers
 * share their bytes.
 */
export function docsRoutes(routes: readonly ApiRoute[], version: string): ApiRoute[] {
  let made: { readonly json: Buffer; readonly page: Buffer } | null = null;
  const make = () => {
    if (made) return made;
    const document = toOpenApi([...routes, ...own], version);
    made = { json: Buffer.from(JSON.stringify(document)), page: Buffer.from(toDocsPage(document)) };
    return made;
  };
  const send = (reply: FastifyReply, bytes: Buffer): FastifyReply => {
    reply.isKept = true;
    return reply.send(bytes);
  };
  const own = [
    defineRoute({
      method: 'GET',
      path: '/openapi.json',
      summary: 'This API as an OpenAPI 3.1 document',
      access: 'public',
      answer: z.looseObject({ openapi: z.string() }),
      handle: ({ reply }) => send(reply.type('application/json; charset=utf-8'), make().json),
    }),
    defineRoute({
      method: 'GET',
      path: '/docs',
      summary: 'This API as a page',
      access: 'public',
      answer: 'text/html',
      handle: ({ reply }) =>
        send(
          reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': contentPolicy }),
          make().page,
        ),
    }),
  ];
  return own;
}
