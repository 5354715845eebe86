import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { listening } from './listening.js';

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { parameters: { name: string }[]; operationId: string; security: unknown[] }>>;
}

const read = async (url: string): Promise<Document> => (await (await fetch(`${url}/openapi.json`)).json()) as Document;

test('the document names every route that is offered, each operation once', async () => {
  const { url } = await listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars(), version: '1.2.3' });
  const document = await read(url);
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Eyrie', version: '1.2.3' } });
  expect(Object.keys(document.paths).toSorted()).toEqual([
    '/detokenize',
    '/docs',
    '/health',
    '/openapi.json',
    '/ready',
    '/tokenize',
    '/tokenizer_info',
    '/v1/admin/keys',
    '/v1/admin/keys/{key_id}',
    '/v1/batches',
    '/v1/batches/{batch_id}',
    '/v1/batches/{batch_id}/cancel',
    '/v1/batches/{batch_id}/deliveries',
    '/v1/batches/{batch_id}/results',
    '/v1/batches/{batch_id}/retry_failed',
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/files',
    '/v1/files/{file_id}',
    '/v1/files/{file_id}/content',
    '/v1/models',
    '/v1/models/{model}',
    '/v1/reports',
    '/v1/reports/{report_id}',
    '/v1/uploads',
    '/v1/uploads/{upload_id}/cancel',
    '/v1/uploads/{upload_id}/complete',
    '/v1/uploads/{upload_id}/parts',
    '/v1/webhook_endpoints',
    '/v1/webhook_endpoints/{endpoint_id}',
    '/v1/webhook_endpoints/{endpoint_id}/deliveries',
    '/v1/webhook_endpoints/{endpoint_id}/deliveries/{event_id}',
    '/v1/webhook_endpoints/{endpoint_id}/deliveries/{event_id}/replay',
    '/v1/webhook_endpoints/{endpoint_id}/rotate_secret',
    '/v1/webhook_endpoints/{endpoint_id}/test',
  ]);
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

test('what the document says of fields and limits comes from the schemas that check them', async () => {
  const { url } = await listening();
  const { paths } = await read(url);
  expect(paths['/v1/files']?.['post']).toMatchObject({
    security: [{ key: ['files:write'] }],
    requestBody: {
      content: {
        'multipart/form-data': {
          schema: {
            required: ['file', 'purpose'],
            additionalProperties: false,
            properties: {
              purpose: { enum: ['batch', 'user_data'] },
              'expires_after[seconds]': { minimum: 3600, maximum: 2_592_000 },
            },
          },
        },
      },
    },
  });
  expect(paths['/v1/batches']?.['get']?.parameters).toContainEqual({
    name: 'limit',
    in: 'query',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
  });
  expect(paths['/v1/batches']?.['post']).toMatchObject({
    requestBody: {
      content: {
        'application/json': {
          schema: {
            additionalProperties: false,
            properties: { metadata: {}, eyrie: {} },
          },
        },
      },
    },
  });
  expect(paths['/v1/files/{file_id}/content']?.['get']?.parameters.map(({ name }) => name)).toEqual([
    'file_id',
    'Range',
    'If-Range',
    'If-None-Match',
  ]);
  expect(paths['/health']?.['get']?.security).toEqual([]);
});

test('calls that wait for their answer may give one or a stream of events', async () => {
  const { url } = await listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() });
  const { paths } = await read(url);
  for (const path of ['/v1/completions', '/v1/chat/completions'])
    expect(paths[path]?.['post']).toMatchObject({
      security: [{ key: ['generate'] }],
      responses: {
        '200': {
          content: {
            'application/json': { schema: { required: expect.arrayContaining(['choices', 'usage']) as unknown } },
            'text/event-stream': { schema: { properties: { choices: { type: 'array' } } } },
          },
        },
      },
    });
});

test('the page shows every operation and loads nothing', async () => {
  const { url } = await listening({ version: '<b>1</b>' });
  const response = await fetch(`${url}/docs`);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  const page = await response.text();
  const { paths } = await read(url);
  for (const [path, operations] of Object.entries(paths)) {
    expect(page).toContain(path);
    for (const { operationId } of Object.values(operations)) expect(page).toContain(`id="${operationId}"`);
  }
  expect(page).not.toMatch(/<script|<link|src=|@import|url\(/);
  expect(page).toContain('&lt;b&gt;1&lt;/b&gt;');
});
