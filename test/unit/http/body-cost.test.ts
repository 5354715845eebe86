import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { z } from 'zod';
import { checkLineRequest } from '../../../src/app/line/line-request.js';
import { createKeyRequest } from '../../../src/contract/api-key-object.js';
import { chatRequest } from '../../../src/contract/chat-request.js';
import { completionRequest } from '../../../src/contract/completion-request.js';
import { createBatchRequest } from '../../../src/contract/create-batch.js';
import { parseWith } from '../../../src/contract/parse.js';
import { createReportRequest } from '../../../src/contract/report-object.js';
import { retryRequest } from '../../../src/contract/retry-request.js';
import { detokenizeRequest, tokenizeRequest } from '../../../src/contract/tokenize.js';
import { completeUploadRequest, createUploadRequest } from '../../../src/contract/upload-object.js';
import {
  createWebhookEndpointRequest,
  rotateSecretRequest,
  testWebhookRequest,
  updateWebhookEndpointRequest,
} from '../../../src/contract/webhook-endpoint-object.js';
import type { NumberBound } from '../../../src/contract/within.js';
import { EyrieError } from '../../../src/domain/errors.js';
import { parseInlineJson, parseJson, readJsonBytes } from '../../../src/http/json-body.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { expectLinear } from '../../support/cpu-cost.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { testModel } from '../../support/fake-world.js';
import { hardestShapes, randomShape, shapes, type Shape } from '../../support/json-shapes.js';

/** More of everything; takes minutes. */
const isLong = process.env['EYRIE_TEST_LONG'] === '1';

const schemas: Readonly<Record<string, z.ZodType>> = {
  chat: chatRequest,
  completion: completionRequest,
  batch: createBatchRequest,
  report: createReportRequest,
  key: createKeyRequest,
  endpoint: createWebhookEndpointRequest,
  'endpoint update': updateWebhookEndpointRequest,
  rotation: rotateSecretRequest,
  'test event': testWebhookRequest,
  upload: createUploadRequest,
  'upload completion': completeUploadRequest,
  retry: retryRequest,
  tokenize: tokenizeRequest,
  detokenize: detokenizeRequest,
};

const chat = '"model":"falcon","messages":[{"role":"user","content":"x"}]';
const completion = '"model":"falcon","prompt":"x"';
const batch = '"input_file_id":"file-1","endpoint":"/v1/completions","completion_window":"24h"';

/** Bodies that are right but for one member, which holds anything. */
const places: readonly (readonly [schema: string, head: string, tail: string])[] = [
  ['chat', '{"model":"falcon","messages":', '}'],
  ['chat', '{"model":"falcon","messages":[{"role":"user","content":', '}]}'],
  ['chat', `{${chat},"tools":`, '}'],
  ['chat', `{${chat},"metadata":`, '}'],
  ['chat', `{${chat},"unknown":`, '}'],
  ['chat', `{${chat},"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":`, '}}}'],
  ['completion', '{"model":"falcon","prompt":', '}'],
  ['completion', '{"model":', ',"prompt":"x"}'],
  ['completion', '{"model":"falcon","prompt":[', ']}'],
  ...['logit_bias', 'stop', 'guided_choice', 'guided_json', 'structured_outputs', 'eyrie', 'user', 'n'].map(
    (name): readonly [string, string, string] => ['completion', `{${completion},"${name}":`, '}'],
  ),
  ...['metadata', 'eyrie', 'output_expires_after', 'requests'].map((name): readonly [string, string, string] => [
    'batch',
    name === 'requests' ? '{"requests":' : `{${batch},"${name}":`,
    '}',
  ]),
  ['batch', '{"requests":[{"custom_id":"a","body":', '}]}'],
  ['batch', '{"requests":[', ']}'],
  ['report', '{"batch_id":"b","line":1,"reason":"other","comment":', '}'],
  ['key', '{"name":"a","scopes":', '}'],
  ['endpoint', '{"url":', '}'],
  ['endpoint', '{"url":"https://a.test/","events":', '}'],
  ['upload completion', '{"part_ids":', '}'],
  ['upload', '{"purpose":"batch","bytes":1,"mime_type":"a/b","filename":', '}'],
  ['retry', '{"include":', '}'],
  ['tokenize', '{"prompt":', '}'],
  ['detokenize', '{"tokens":', '}'],
];

function requestOf(bytes: Buffer): IncomingMessage {
  const headers = { 'content-type': 'application/json', 'content-length': String(bytes.length) };
  return Object.assign(Readable.from([bytes]), { headers }) as unknown as IncomingMessage;
}

const rules = { model: testModel, tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() };

async function bodyOf(bytes: Buffer, bound: NumberBound): Promise<Buffer> {
  const body = await readJsonBytes(requestOf(bytes), bound);
  if (!body) throw new Error('The body is empty.');
  return body;
}

/** What the API does with a body before anything is done: it is read, parsed, checked, and for a live call checked as a line. */
async function check(schema: string, bytes: Buffer): Promise<void> {
  const type = schemas[schema];
  if (!type) throw new Error(schema);
  try {
    const json =
      schema === 'batch'
        ? await parseInlineJson(await bodyOf(bytes, 'inlineBodyBytesMax'))
        : parseJson(await bodyOf(bytes, 'jsonBodyBytesMax'));
    parseWith(type, json);
    const endpoint = { chat: '/v1/chat/completions', completion: '/v1/completions' } as const;
    if (schema === 'chat' || schema === 'completion')
      await checkLineRequest(
        { customId: '', endpoint: endpoint[schema], body: json as Record<string, unknown> },
        rules,
      );
  } catch (error) {
    if (!(error instanceof EyrieError)) throw error;
    expect(error.message.length, error.message.slice(0, 400)).toBeLessThan(1200);
    expect(error.param?.length ?? 0).toBeLessThan(600);
  }
}

/** Counts the zod issues of a parse, those inside unions too. */
function countIssues(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => {
    const inner =
      issue.code === 'invalid_union' ? issue.errors.flat() : issue.code === 'invalid_key' ? issue.issues : [];
    return sum + 1 + countIssues(inner);
  }, 0);
}

async function expectBounded(
  schema: string,
  shape: Shape,
  head: string,
  tail: string,
  size: number,
  what: string,
): Promise<void> {
  const parse = vi.spyOn(schemas[schema] as z.ZodType, 'safeParse');
  try {
    await expectLinear(
      `${what}, ${size} bytes`,
      () => {
        const bytes = Buffer.from(head + shape(size) + tail);
        return { bytes: bytes.length, body: bytes };
      },
      ({ body }) => check(schema, body),
    );
    for (const { value, type } of parse.mock.results)
      if (type === 'return' && !value.success) expect(countIssues(value.error.issues)).toBeLessThanOrEqual(200);
  } finally {
    parse.mockRestore();
  }
}

/** Just below the largest body. */
const million = 1_000_000;

const names = isLong ? Object.keys(shapes) : hardestShapes;
const sizes = isLong ? [1000, 10_000, 30_000, 100_000, 300_000, million] : [60_000, million];

describe('no body costs more than 60 ns of CPU a byte and 5 ms, nor makes more than 200 error objects', () => {
  test.each(places.map(([schema, head, tail]) => ({ schema, head, tail })))(
    '$schema $head…',
    async ({ schema, head, tail }) => {
      for (const name of names)
        for (const size of sizes)
          await expectBounded(schema, shapes[name] as Shape, head, tail, size, `${name} in ${head}`);
    },
  );

  test('batches of 16 MB', async () => {
    for (const [schema, head, tail] of places)
      if (schema === 'batch' && (isLong || head.startsWith('{"requests":[')))
        for (const name of isLong ? names : ['empty objects', 'a new member each', 'a text of emojis'])
          await expectBounded(schema, shapes[name] as Shape, head, tail, 15 * million, `${name} in ${head}`);
  });

  test('of random shapes and sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...places),
        randomShape,
        fc.double({ min: 2, max: 6, noNaN: true }),
        async ([schema, head, tail], shape, power) =>
          expectBounded(schema, shape, head, tail, Math.round(10 ** power), `a random shape in ${head}`),
      ),
      { numRuns: isLong ? 5000 : 60 },
    );
  });
});
