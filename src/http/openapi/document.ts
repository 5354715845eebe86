import type { z } from 'zod';
import { errorObject } from '../../contract/error-object.js';
import type { Access } from '../../domain/scopes.js';
import type { ApiRoute } from '../api-route.js';
import { toJsonSchema, type JsonSchema } from './json-schema.js';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonSchema;
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, unknown>> };
}

/** `/v1/files/:file_id` as OpenAPI writes it; the rest of a path is the one parameter that may hold slashes. */
const toPath = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{model}');

const pathParameters = (path: string): Parameter[] =>
  Array.from(toPath(path).matchAll(/\{(\w+)\}/g), ([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));

function parametersOf(schema: z.ZodObject | null, place: 'query' | 'header'): Parameter[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = toJsonSchema(schema, 'input');
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: property,
  }));
}

function requestBody(route: ApiRoute): Pick<Operation, 'requestBody'> {
  if (route.body)
    return {
      requestBody: {
        required: !route.bodyOptional,
        content: { 'application/json': { schema: toJsonSchema(route.body, 'input') } },
      },
    };
  if (!route.form) return {};
  const file: JsonSchema = { contentMediaType: 'application/octet-stream' };
  const { properties = {}, required = [], ...rest } = toJsonSchema(route.form.fields, 'input');
  const schema = {
    ...rest,
    properties: { [route.form.file]: file, ...properties },
    required: [route.form.file, ...required],
  };
  return { requestBody: { required: true, content: { 'multipart/form-data': { schema } } } };
}

function responses(route: ApiRoute): Operation['responses'] {
  const error = {
    description: 'Error',
    content: { 'application/json': { schema: toJsonSchema(errorObject, 'output') } },
  };
  if (typeof route.answer !== 'string') {
    const content = {
      'application/json': { schema: toJsonSchema(route.answer, 'output') },
      // Each event's data is JSON of this schema; the last one's is the text [DONE].
      ...(route.events ? { 'text/event-stream': { schema: toJsonSchema(route.events, 'output') } } : {}),
    };
    return { '200': { description: 'Done', content }, default: error };
  }
  const content = { [route.answer]: { schema: {} } };
  return {
    '200': { description: 'All of it', content },
    ...(route.headers?.shape['Range'] ? { '206': { description: 'The range asked for', content } } : {}),
    ...(route.headers?.shape['If-None-Match'] ? { '304': { description: 'Not changed' } } : {}),
    default: error,
  };
}

const operationId = ({ method, path }: ApiRoute): string =>
  [method.toLowerCase(), ...toPath(path).split('/')]
    .map((segment) => segment.replaceAll(/\W+/g, '_').replaceAll(/^_|_$/g, ''))
    .filter((segment) => segment !== '' && segment !== 'v1')
    .join('_');

const tagOf = (path: string): string => {
  const [first = '', second = ''] = path.split('/').slice(1);
  return first === 'v1' ? second : 'service';
};

/** OpenAPI 3.1 lets the list of a scheme that is no OAuth name the roles that a call needs. */
const securityOf = (access: Access): Operation['security'] => {
  if (access === 'public') return [];
  return [{ key: access === 'any key' ? [] : [access] }];
};

const toOperation = (route: ApiRoute): Operation => ({
  operationId: operationId(route),
  summary: route.summary,
  tags: [tagOf(route.path)],
  security: securityOf(route.access),
  parameters: [
    ...pathParameters(route.path),
    ...parametersOf(route.query, 'query'),
    ...parametersOf(route.headers, 'header'),
  ],
  ...requestBody(route),
  responses: responses(route),
});

/** The OpenAPI 3.1 document of these routes, made from the very schemas that check requests. */
export function toOpenApi(routes: readonly ApiRoute[], version: string): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) (paths[toPath(route.path)] ??= {})[route.method.toLowerCase()] = toOperation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Eyrie',
      version,
      description: 'Batch generation for the Falcon models, in the words of the OpenAI API.',
    },
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key; operations name the scope that it needs.' },
      },
    },
  };
}
