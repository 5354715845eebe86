import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bounds, type BoundName } from '../../../../src/domain/bounds.js';
import { ByteTokenizer } from '../../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../../support/fake-grammars.js';
import { projectRoot } from '../../../support/project-imports.js';
import { scriptedEndToken } from '../../../support/scripted-engine.js';
import { jsonPost } from '../answering.js';
import { errorOf, listening } from '../listening.js';
import { RawSocket } from '../raw-socket.js';

const text = (bound: BoundName): string => 'x'.repeat(Number(bounds[bound]) + 1);
const list = <T>(bound: BoundName, of: (n: number) => T): T[] =>
  Array.from({ length: Number(bounds[bound]) + 1 }, (_, n) => of(n));
const pairs = (bound: BoundName, of: (n: number) => unknown): object => Object.fromEntries(list(bound, of).entries());

const batch = { input_file_id: 'file-01', endpoint: '/v1/completions', completion_window: '24h' };
const upload = { purpose: 'batch', filename: 'a', bytes: 1, mime_type: 'text/plain' };
const report = { batch_id: 'batch_01', line: 1, reason: 'false' };
const prompt = { model: 'falcon', prompt: 'x' };
const chat = { model: 'falcon', messages: [{ role: 'user', content: 'x' }] };
const said = { role: 'user', content: 'x' };
const hook = { url: 'https://example.com/' };
const longUrl = `https://example.com/${text('webhookUrlCharsMax')}`;

type Case = readonly [bound: BoundName, param: string, route: string, body: object | null];
const cases: readonly Case[] = [
  ['metadataPairsMax', 'metadata', '/v1/batches', { ...batch, metadata: pairs('metadataPairsMax', () => 'x') }],
  ['metadataKeyCharsMax', 'metadata.', '/v1/batches', { ...batch, metadata: { [text('metadataKeyCharsMax')]: 'x' } }],
  ['metadataValueCharsMax', 'metadata.a', '/v1/batches', { ...batch, metadata: { a: text('metadataValueCharsMax') } }],
  ['idCharsMax', 'input_file_id', '/v1/batches', { ...batch, input_file_id: text('idCharsMax') }],
  ['windowCharsMax', 'completion_window', '/v1/batches', { ...batch, completion_window: text('windowCharsMax') }],
  ['priorityMax', 'eyrie.priority', '/v1/batches', { ...batch, eyrie: { priority: bounds.priorityMax + 1 } }],
  ['priorityMin', 'eyrie.priority', '/v1/batches', { ...batch, eyrie: { priority: bounds.priorityMin - 1 } }],
  ['unixSecondsMax', 'eyrie.deadline', '/v1/batches', { ...batch, eyrie: { deadline: bounds.unixSecondsMax + 1 } }],
  ['webhookUrlCharsMax', 'eyrie.webhook.url', '/v1/batches', { ...batch, eyrie: { webhook: { url: longUrl } } }],
  [
    'expiresAfterSecondsMin',
    'output_expires_after.seconds',
    '/v1/batches',
    { ...batch, output_expires_after: { anchor: 'created_at', seconds: 1 } },
  ],
  [
    'expiresAfterSecondsMax',
    'output_expires_after.seconds',
    '/v1/batches',
    { ...batch, output_expires_after: { anchor: 'created_at', seconds: 1e9 } },
  ],
  ['filenameCharsMax', 'filename', '/v1/uploads', { ...upload, filename: text('filenameCharsMax') }],
  ['inputFileBytesMax', 'bytes', '/v1/uploads', { ...upload, bytes: bounds.inputFileBytesMax + 1 }],
  ['mimeTypeCharsMax', 'mime_type', '/v1/uploads', { ...upload, mime_type: text('mimeTypeCharsMax') }],
  ['uploadPartsMax', 'part_ids', '/v1/uploads/upload_01/complete', { part_ids: list('uploadPartsMax', String) }],
  ['promptsPerLineMax', 'prompt', '/v1/completions', { ...prompt, prompt: list('promptsPerLineMax', String) }],
  ['choicesPerPromptMax', 'n', '/v1/completions', { ...prompt, n: bounds.choicesPerPromptMax + 1 }],
  ['choicesPerPromptMax', 'best_of', '/v1/completions', { ...prompt, best_of: bounds.choicesPerPromptMax + 1 }],
  ['logprobsMax', 'logprobs', '/v1/completions', { ...prompt, logprobs: bounds.logprobsMax + 1 }],
  ['stopStringsMax', 'stop', '/v1/completions', { ...prompt, stop: list('stopStringsMax', String) }],
  ['stopCharsMax', 'stop', '/v1/completions', { ...prompt, stop: text('stopCharsMax') }],
  ['stopCharsMax', 'stop[0]', '/v1/completions', { ...prompt, stop: [text('stopCharsMax')] }],
  // Names of token ids have seven digits at most.
  ['logitBiasMax', 'logit_bias', '/v1/completions', { ...prompt, logit_bias: pairs('logitBiasMax', () => 1) }],
  ['modelNameCharsMax', 'model', '/v1/completions', { ...prompt, model: text('modelNameCharsMax') }],
  [
    'grammarRegexCharsMax',
    'guided_regex',
    '/v1/completions',
    { ...prompt, guided_regex: text('grammarRegexCharsMax') },
  ],
  [
    'grammarChoicesMax',
    'guided_choice',
    '/v1/completions',
    { ...prompt, guided_choice: list('grammarChoicesMax', String) },
  ],
  [
    'grammarChoiceCharsMax',
    'guided_choice[0]',
    '/v1/completions',
    { ...prompt, guided_choice: [text('grammarChoiceCharsMax')] },
  ],
  [
    'grammarLarkCharsMax',
    'guided_grammar',
    '/v1/completions',
    { ...prompt, guided_grammar: text('grammarLarkCharsMax') },
  ],
  [
    'grammarBytesMax',
    'guided_json',
    '/v1/completions',
    { ...prompt, guided_json: { description: text('grammarBytesMax') } },
  ],
  ['chatMessagesMax', 'messages', '/v1/chat/completions', { ...chat, messages: list('chatMessagesMax', () => said) }],
  [
    'chatPartsMax',
    'messages[0].content',
    '/v1/chat/completions',
    { ...chat, messages: [{ ...said, content: list('chatPartsMax', () => ({ type: 'text', text: 'x' })) }] },
  ],
  [
    'topLogprobsMax',
    'top_logprobs',
    '/v1/chat/completions',
    { ...chat, logprobs: true, top_logprobs: bounds.topLogprobsMax + 1 },
  ],
  ['tokenizeCharsMax', 'prompt', '/tokenize', { prompt: text('tokenizeCharsMax') }],
  ['tokenizeTokensMax', 'prompt', '/tokenize', { prompt: text('tokenizeTokensMax') }],
  ['detokenizeTokensMax', 'tokens', '/detokenize', { tokens: list('detokenizeTokensMax', () => 1) }],
  [
    'detokenizeBytesMax',
    'tokens',
    '/detokenize',
    { tokens: Array.from({ length: bounds.detokenizeTokensMax }, () => scriptedEndToken) },
  ],
  ['customIdCharsMax', 'custom_id', '/v1/reports', { ...report, custom_id: text('customIdCharsMax') }],
  ['batchLinesMax', 'line', '/v1/reports', { ...report, line: bounds.batchLinesMax + 1 }],
  ['reportCommentCharsMax', 'comment', '/v1/reports', { ...report, comment: text('reportCommentCharsMax') }],
  ['webhookUrlCharsMax', 'url', '/v1/webhook_endpoints', { url: longUrl }],
  [
    'webhookDescriptionCharsMax',
    'description',
    '/v1/webhook_endpoints',
    { ...hook, description: text('webhookDescriptionCharsMax') },
  ],
  [
    'webhookSecretOverlapSecondsMax',
    'previous_expires_after',
    '/v1/webhook_endpoints/we_01/rotate_secret',
    { previous_expires_after: bounds.webhookSecretOverlapSecondsMax + 1 },
  ],
  ['keyNameCharsMax', 'name', '/v1/admin/keys', { name: text('keyNameCharsMax'), scopes: ['files:read'] }],
  ['keySecondsMin', 'expires_after', '/v1/admin/keys', { name: 'a', scopes: ['files:read'], expires_after: 0 }],
  ['keySecondsMax', 'expires_after', '/v1/admin/keys', { name: 'a', scopes: ['files:read'], expires_after: 1e12 }],
  ['filesPageMax', 'limit', `/v1/files?limit=${bounds.filesPageMax + 1}`, null],
  ['batchesPageMax', 'limit', `/v1/batches?limit=${bounds.batchesPageMax + 1}`, null],
  ['reportsPageMax', 'limit', `/v1/reports?limit=${bounds.reportsPageMax + 1}`, null],
  ['idCharsMax', 'after', `/v1/files?after=${text('idCharsMax')}`, null],
  ['cursorCharsMax', 'after', `/v1/batches/batch_01/results?after=${text('cursorCharsMax')}`, null],
];

const server = () =>
  listening({
    requestsPerMinute: null,
    configuredKeysAdmin: true,
    tokenizer: new ByteTokenizer(),
    grammars: new FakeGrammars(),
  });

describe('a refusal is counted by the bound that the request passes', () => {
  test.each(cases)('%s, by %s of %s', async (bound, param, route, body) => {
    const { call, world } = await server();
    const response = await call(route, body ? jsonPost(body) : {});
    expect(response.status).toBe(400);
    const error = await errorOf(response);
    expect(error.code).toBe('invalid_value');
    expect(error.param?.startsWith(param), error.param ?? '').toBe(true);
    expect([...world.refusals.counts()]).toEqual([[bound, 1]]);
  });

  test('the bounds of headers, bodies and forms too', async () => {
    const { call, world, port } = await server();
    const sent = async (form: FormData) => (await call('/v1/files', { method: 'POST', body: form })).status;
    const form = (more: Record<string, string> = {}, name = 'a') => {
      const data = new FormData();
      data.set('file', new Blob(['x']), name);
      for (const [key, value] of Object.entries({ purpose: 'batch', ...more })) data.set(key, value);
      return data;
    };
    expect(await sent(form({ purpose: text('formFieldBytesMax') }))).toBe(400);
    expect(await sent(form({}, text('filenameCharsMax')))).toBe(400);
    expect((await call('/v1/uploads', jsonPost({ a: text('jsonBodyBytesMax') }))).status).toBe(413);
    const headers = { 'content-type': 'application/json', 'idempotency-key': text('idempotencyKeyCharsMax') };
    expect((await call('/v1/batches', { ...jsonPost(batch), headers })).status).toBe(400);
    const raw = new RawSocket(port);
    await raw.send(`GET /health HTTP/1.1\r\nHost: t\r\nX: ${text('headerBytesMax')}\r\n\r\n`);
    expect((await raw.answer()).status).toBe(431);
    raw.destroy();
    const counts = Object.fromEntries(world.refusals.counts());
    expect(counts).toEqual({
      formFieldBytesMax: 1,
      filenameCharsMax: 1,
      jsonBodyBytesMax: 1,
      idempotencyKeyCharsMax: 1,
      headerBytesMax: 1,
    });
  });

  test('a value that is wrong for another reason counts for none', async () => {
    const { call, world } = await server();
    for (const body of [
      { ...prompt, n: 0 },
      { ...prompt, stop: [''] },
      { ...prompt, bound: 'stopCharsMax' },
      { model: '' },
    ])
      expect((await call('/v1/completions', jsonPost(body))).status).toBe(400);
    expect([...world.refusals.counts()]).toEqual([]);
  });
});

test('no schema of a request has a bound without its name', async () => {
  for (const folder of ['src/contract', 'src/http'])
    for (const name of await readdir(path.join(projectRoot, folder), { recursive: true })) {
      if (!name.endsWith('.ts') || name === 'within.ts') continue;
      const source = await readFile(path.join(projectRoot, folder, name), 'utf8');
      expect(source, name).not.toMatch(/(?<!Math)\.(max|min|length|gte?|lte?|size)\(\s*bounds\b/);
    }
});
