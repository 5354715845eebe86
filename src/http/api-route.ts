import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { NumberBound } from '../contract/within.js';
import type { Access } from '../domain/scopes.js';
import type { ShareName } from './shares.js';

export interface ApiCall<Query, Headers, Body> {
  /** Owner of the API key; empty on public routes. */
  readonly tenant: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  /** The JSON body as it came, before the schema; undefined where none is read. */
  readonly json: unknown;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

interface RouteText {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:name` is one segment, `*` the rest of the path. */
  readonly path: string;
  readonly summary: string;
  /** Who may call. There is no default: a route that does not say it does not compile. */
  readonly access: Access;
  /** What its calls take a place of until they have ended; HEAD of a content takes none. */
  readonly share?: Exclude<ShareName, 'bodies' | 'openings'>;
  /** What a good answer holds; a media type when it is no JSON. */
  readonly answer: z.ZodType | string;
  /** What each event holds where a good answer may also be a stream of server-sent events. */
  readonly events?: z.ZodType;
  /** For routes that read multipart/form-data on their own: the part that is a file, and the text fields beside it. */
  readonly form?: { readonly file: string; readonly fields: z.ZodObject };
}

/** A route: what it takes and gives, and what it does. Registration, documents and checks all come from this. */
export interface ApiRoute extends RouteText {
  readonly query: z.ZodObject | null;
  readonly headers: z.ZodObject | null;
  readonly body: z.ZodType | null;
  readonly bodyBound: NumberBound;
  readonly bodyOptional: boolean;
  readonly inlineRequests: boolean;
  readonly handle: (call: ApiCall<unknown, unknown, unknown>) => unknown;
}

interface RouteSpec<Query extends z.ZodObject, Headers extends z.ZodObject, Body extends z.ZodType> extends RouteText {
  /** Absent: no query parameter is allowed. */
  readonly query?: Query;
  /** Headers that the route looks at, by their usual spelling. */
  readonly headers?: Headers;
  /** JSON body; absent: the body is not read. */
  readonly body?: Body;
  /** Of the bytes of a JSON body; default `jsonBodyBytesMax`. */
  readonly bodyBound?: NumberBound;
  /** A body that is left out counts as `{}`. */
  readonly bodyOptional?: boolean;
  /** The body may hold requests in place of a file, see `InlineRequests`. */
  readonly inlineRequests?: boolean;
  readonly handle: (call: ApiCall<z.output<Query>, z.output<Headers>, z.output<Body>>) => unknown;
}

/** Ties the types of query, headers and body to the handler; the schemas are checked before it is called. */
export function defineRoute<
  Query extends z.ZodObject = z.ZodObject,
  Headers extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<Query, Headers, Body>): ApiRoute {
  return {
    ...spec,
    query: spec.query ?? null,
    headers: spec.headers ?? null,
    body: spec.body ?? null,
    bodyBound: spec.bodyBound ?? 'jsonBodyBytesMax',
    bodyOptional: spec.bodyOptional ?? false,
    inlineRequests: spec.inlineRequests ?? false,
    handle: (call) => spec.handle(call as Parameters<typeof spec.handle>[0]),
  };
}
