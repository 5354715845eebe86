import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';

export interface ApiCall<Query, Body> {
  /** Owner of the API key; empty on public routes. */
  readonly tenant: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

interface RouteText {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:name` is one segment, `*` the rest of the path. */
  readonly path: string;
  readonly summary: string;
  /** Who may call: holders of an API key, or everybody. */
  readonly access: 'key' | 'public';
  /** What a good answer holds; a media type when it is no JSON. */
  readonly answer: z.ZodType | string;
  /** Form fields, for routes that read multipart/form-data on their own. */
  readonly form?: { readonly file: string; readonly fields: z.ZodType };
}

/** A route: what it takes and gives, and what it does. Registration, documents and checks all come from this. */
export interface ApiRoute extends RouteText {
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly handle: (call: ApiCall<unknown, unknown>) => unknown;
}

interface RouteSpec<Query, Body> extends RouteText {
  /** Absent: no query parameter is allowed. */
  readonly query?: z.ZodType<Query>;
  /** JSON body; absent: the body is not read. */
  readonly body?: z.ZodType<Body>;
  readonly handle: (call: ApiCall<Query, Body>) => unknown;
}

/** Ties the types of query and body to the handler; the schemas are checked before it is called. */
export function defineRoute<Query = unknown, Body = undefined>(spec: RouteSpec<Query, Body>): ApiRoute {
  return {
    ...spec,
    query: spec.query ?? null,
    body: spec.body ?? null,
    handle: (call) => spec.handle(call as ApiCall<Query, Body>),
  };
}
