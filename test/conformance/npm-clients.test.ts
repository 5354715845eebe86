import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import { LocalMode } from '../support/local-mode.js';
import { makeTempFolder } from '../support/temp-folder.js';
import { npmClients, type Client } from './clients.js';
import { WebhookCatcher } from './webhook-catcher.js';

const model = 'eyrie-demo';
const sum = '<human>: What is 12 plus 30?\n<bot>:';
const line = (customId: string, body: object = {}): string =>
  JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/completions',
    body: { model, prompt: sum, max_tokens: 8, temperature: 0, ...body },
  });

let folder: string;
let service: LocalMode;
let catcher: WebhookCatcher;

beforeAll(async () => {
  folder = await makeTempFolder();
  catcher = await WebhookCatcher.start();
  service = await LocalMode.start(path.join(folder, 'data'), ['--model', 'demo']);
});
afterAll(async () => {
  await service.stop();
  await catcher.stop();
  await rm(folder, { recursive: true });
});

describe.each(npmClients)('the npm client, version $major', ({ major, missing, load }) => {
  describe.skipIf(missing)(missing ?? 'as users have it', () => {
    let module: Client;
    let client: OpenAI;
    const connect = (options: ConstructorParameters<Client['OpenAI']>[0] = {}): OpenAI =>
      new module.OpenAI({
        baseURL: service.url,
        apiKey: service.apiKey,
        webhookSecret: service.webhookSecret,
        timeout: 100_000,
        ...options,
      });
    const upload = async (text: string, name = 'in.jsonl'): Promise<OpenAI.FileObject> =>
      client.files.create({ file: await module.toFile(Buffer.from(text), name), purpose: 'batch' });
    const createBatch = (
      fileId: string,
      more: object = {},
      options?: OpenAI.RequestOptions,
    ): Promise<OpenAI.Batches.Batch> =>
      client.batches.create(
        { input_file_id: fileId, endpoint: '/v1/completions', completion_window: '24h', ...more },
        options,
      );
    const ended = ['completed', 'failed', 'expired', 'cancelled'];
    const finish = async (batch: OpenAI.Batches.Batch): Promise<OpenAI.Batches.Batch> => {
      let seen = batch;
      await eventually(
        `the end of ${batch.id}`,
        async () => {
          seen = await client.batches.retrieve(batch.id);
          return ended.includes(seen.status);
        },
        90_000,
      );
      return seen;
    };
    const failure = async (call: Promise<unknown>): Promise<InstanceType<Client['APIError']>> =>
      call.then(
        () => expect.unreachable('the call went through'),
        (error: unknown) => error as InstanceType<Client['APIError']>,
      );

    beforeAll(async () => {
      module = await load();
      client = connect();
    });

    test('is the version it says', () => {
      const agent = (client as unknown as { getUserAgent(): string }).getUserAgent();
      expect(agent).toMatch(new RegExp(`^OpenAI/JS ${major}\\.`));
    });

    describe('files', () => {
      test('are created from a stream, bytes and a web file, with the purpose before and behind', async () => {
        const file = path.join(folder, 'stream.jsonl');
        await writeFile(file, `${line('a')}\n`);
        const sources = [
          createReadStream(file),
          await module.toFile(Buffer.from(line('a')), 'bytes.jsonl'),
          new File([line('a')], 'web.jsonl'),
          await module.toFile(Readable.from([line('a'), '\n', line('b')]), 'pieces.jsonl'),
        ];
        for (const source of sources) {
          const created = await client.files.create({ file: source, purpose: 'batch' });
          expect(created).toMatchObject({ object: 'file', purpose: 'batch', status: 'processed' });
          expect(created.bytes).toBeGreaterThan(0);
        }
        const before = await client.files.create({ purpose: 'batch', file: createReadStream(file) });
        expect(before.filename).toBe('stream.jsonl');
      });

      test('are shown, read byte for byte, waited for, and deleted twice', async () => {
        const text = `${line('ü')}\r\n\n${line('b')}`;
        const { id } = await upload(text, 'read.jsonl');
        expect(await client.files.retrieve(id)).toMatchObject({ id, filename: 'read.jsonl' });
        expect(await (await client.files.content(id)).text()).toBe(text);
        expect((await client.files.waitForProcessing(id)).status).toBe('processed');
        for (const _ of [1, 2]) expect(await client.files.delete(id)).toEqual({ id, object: 'file', deleted: true });
        const error = await failure(client.files.retrieve(id));
        expect(error).toBeInstanceOf(module.NotFoundError);
      });

      test('may expire', async () => {
        const created = await client.files.create({
          file: await module.toFile(Buffer.from(line('a')), 'in.jsonl'),
          purpose: 'batch',
          expires_after: { anchor: 'created_at', seconds: 3600 },
        });
        expect(created.expires_at).toBe(created.created_at + 3600);
      });

      test('are listed by pages, each once', async () => {
        const ids: string[] = [];
        for (let i = 0; i < 7; i++) ids.push((await upload(line(`${i}`), `page-${i}.jsonl`)).id);
        const seen: string[] = [];
        for await (const file of client.files.list({ limit: 3, purpose: 'batch' })) seen.push(file.id);
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.slice(0, 7)).toEqual(ids.toReversed());
        const oldest = await client.files.list({ order: 'asc', limit: 3 });
        expect(oldest.data.map(({ id }) => id)).toEqual(seen.toReversed().slice(0, 3));
      });

      test('that are too large are refused with a 413 that the client gets to see', async () => {
        const error = await failure(
          client.files.create(
            { file: await module.toFile(Buffer.alloc(201 * 1024 * 1024, 0x20), 'large.jsonl'), purpose: 'batch' },
            { maxRetries: 0 },
          ),
        );
        expect(error).toMatchObject({ status: 413, code: 'file_too_large' });
      });
    });

    test('uploads take parts of any size and order, check sum and digest, and can be cancelled', async () => {
      const parts = [`${line('a')}\n`, line('b').slice(0, 20), `${line('b').slice(20)}\n`];
      const text = parts.join('');
      const create = (): Promise<OpenAI.Upload> =>
        client.uploads.create({
          purpose: 'batch',
          filename: 'large.jsonl',
          bytes: Buffer.byteLength(text),
          mime_type: 'application/jsonl',
        });
      const { id } = await create();
      const partIds = new Map<number, string>();
      for (const at of [2, 0, 1]) {
        const data = await module.toFile(Buffer.from(parts[at] ?? ''), 'part');
        partIds.set(at, (await client.uploads.parts.create(id, { data })).id);
      }
      const inOrder = [0, 1, 2].map((at) => partIds.get(at) ?? '');
      const tooFew = await failure(client.uploads.complete(id, { part_ids: inOrder.slice(1) }));
      expect(tooFew).toBeInstanceOf(module.BadRequestError);
      const wrong = await failure(client.uploads.complete(id, { part_ids: inOrder, md5: '0'.repeat(32) }));
      expect(wrong).toBeInstanceOf(module.BadRequestError);
      const md5 = createHash('md5').update(text).digest('hex');
      const done = await client.uploads.complete(id, { part_ids: inOrder, md5 });
      expect(done).toMatchObject({ status: 'completed', file: { bytes: Buffer.byteLength(text), purpose: 'batch' } });
      expect(await (await client.files.content(done.file?.id ?? '')).text()).toBe(text);

      const other = await create();
      expect(await client.uploads.cancel(other.id)).toMatchObject({ status: 'cancelled' });
      expect(await client.uploads.cancel(other.id)).toMatchObject({ status: 'cancelled' });
    });

    describe('batches', () => {
      test('run from file to results, in input order, and tell their webhook', async () => {
        const { id } = await upload([line('z'), line('bad', { max_tokens: 9999 }), line('a')].join('\n'));
        const batch = await createBatch(id, { metadata: { run: 'nightly' }, eyrie: { webhook: { url: catcher.url } } });
        expect(batch).toMatchObject({ object: 'batch', status: 'validating', metadata: { run: 'nightly' } });
        const end = await finish(batch);
        expect(end).toMatchObject({ status: 'completed', request_counts: { total: 3, completed: 2, failed: 1 } });
        expect(end.usage?.total_tokens).toBeGreaterThan(0);
        const read = async (fileId: string | null | undefined): Promise<Record<string, unknown>[]> =>
          (await (await client.files.content(fileId ?? '')).text())
            .trim()
            .split('\n')
            .map((text) => JSON.parse(text) as Record<string, unknown>);
        const output = await read(end.output_file_id);
        expect(output.map(({ custom_id }) => custom_id)).toEqual(['z', 'a']);
        expect(output[0]).toMatchObject({ response: { body: { choices: [{ text: ' 42', finish_reason: 'stop' }] } } });
        const errors = await read(end.error_file_id);
        expect(errors).toMatchObject([
          {
            custom_id: 'bad',
            response: { status_code: 400, body: { error: { code: 'context_length_exceeded' } } },
            error: null,
          },
        ]);

        await eventually('the webhook', () => catcher.caught.some(({ body }) => body.includes(batch.id)), 30_000);
        const caught = catcher.caught.find(({ body }) => body.includes(batch.id));
        const event = await client.webhooks.unwrap(caught?.body ?? '', caught?.headers ?? {});
        expect(event).toMatchObject({ type: 'batch.completed', data: { id: batch.id } });
        const forged = failure(
          (async () =>
            client.webhooks.unwrap(caught?.body.replace(batch.id, 'batch_x') ?? '', caught?.headers ?? {}))(),
        );
        expect(await forged).toBeInstanceOf(module.InvalidWebhookSignatureError);
      });

      test('that are not valid list every error', async () => {
        const { id } = await upload(['no json', line('a'), line('a')].join('\n'));
        const end = await finish(await createBatch(id));
        expect(end.status).toBe('failed');
        expect(end.errors?.data?.map(({ code, line: at }) => [code, at])).toEqual([
          ['invalid_json_line', 1],
          ['duplicate_custom_id', 3],
        ]);
        const fileless = await finish(await createBatch('file-nothere'));
        expect(fileless.errors?.data?.[0]).toMatchObject({ code: 'invalid_request', param: 'file_id' });
      });

      test('are cancelled; an ended one is not', async () => {
        const lines = Array.from({ length: 600 }, (_, i) => line(`${i}`, { max_tokens: 400, ignore_eos: true }));
        const { id } = await upload(lines.join('\n'));
        const batch = await createBatch(id);
        expect(['cancelling', 'cancelled']).toContain((await client.batches.cancel(batch.id)).status);
        const end = await finish(batch);
        expect(end.status).toBe('cancelled');
        const { total, completed, failed } = end.request_counts ?? { total: -1, completed: 0, failed: 0 };
        expect(completed + failed).toBe(total);
        const done = await finish(await createBatch((await upload(line('a'))).id));
        expect(await failure(client.batches.cancel(done.id, { maxRetries: 0 }))).toBeInstanceOf(module.ConflictError);
      });

      test('are listed by pages, each once', async () => {
        const { id } = await upload(line('a'));
        const ids: string[] = [];
        for (let i = 0; i < 7; i++) ids.push((await createBatch(id, { metadata: { i: `${i}` } })).id);
        const seen: string[] = [];
        for await (const batch of client.batches.list({ limit: 3 })) seen.push(batch.id);
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.slice(0, 7)).toEqual(ids.toReversed());
      });

      test('are made once, however often the client tries', async () => {
        const { id } = await upload(line('a'));
        let lost = 0;
        const ids: string[] = [];
        // The first answer to a create is lost on its way: the client cannot know whether there is a batch.
        const lossy = connect({
          maxRetries: 2,
          fetch: async (url, init) => {
            const answer = await fetch(url as string, init as RequestInit);
            if (answer.url.endsWith('/batches') && answer.ok) {
              ids.push(((await answer.clone().json()) as { id: string }).id);
              if (lost++ === 0) throw new TypeError('fetch failed');
            }
            return answer;
          },
        });
        const batch = await lossy.batches.create({
          input_file_id: id,
          endpoint: '/v1/completions',
          completion_window: '24h',
          metadata: { only: randomUUID() },
        });
        expect(ids).toEqual([batch.id, batch.id]);
      });

      test('keep to their idempotency key', async () => {
        const { id } = await upload(line('a'));
        const headers = { 'Idempotency-Key': randomUUID() };
        const first = await createBatch(id, {}, { headers });
        expect((await createBatch(id, {}, { headers })).id).toBe(first.id);
        const other = await failure(createBatch(id, { metadata: { a: 'b' } }, { headers }));
        expect(other).toBeInstanceOf(module.UnprocessableEntityError);
        expect(other.code).toBe('idempotency_key_reused');
      });
    });

    test('models are listed and shown', async () => {
      const { data } = await client.models.list();
      expect(data.map(({ id }) => id)).toContain(model);
      expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' });
      expect(await failure(client.models.retrieve('gpt/none'))).toBeInstanceOf(module.NotFoundError);
    });

    describe('completions', () => {
      test('answer one prompt and many, with log-probabilities and the prompt', async () => {
        const one = await client.completions.create({ model, prompt: sum, max_tokens: 8, temperature: 0 });
        expect(one.choices).toMatchObject([{ index: 0, text: ' 42', finish_reason: 'stop', logprobs: null }]);
        expect(one._request_id).toMatch(/^req_/);
        const scored = await client.completions.create({
          model,
          prompt: [sum, '<human>: Spell ace.\n<bot>:'],
          max_tokens: 1,
          temperature: 0,
          logprobs: 1,
          echo: true,
        });
        expect(scored.choices.map(({ index }) => index)).toEqual([0, 1]);
        expect(scored.choices[0]?.text.startsWith(sum)).toBe(true);
        expect(scored.choices[0]?.logprobs?.token_logprobs?.[0]).toBeNull();
      });

      test('stream what they would answer', async () => {
        const request = { model, prompt: sum, max_tokens: 24, temperature: 1, seed: 5, ignore_eos: true };
        const whole = await client.completions.create(request);
        let text = '';
        for await (const chunk of await client.completions.create({ ...request, stream: true }))
          text += chunk.choices[0]?.text ?? '';
        expect(text).toBe(whole.choices[0]?.text);
      });
    });

    describe('chat', () => {
      const messages = [{ role: 'user' as const, content: 'What is 12 plus 30?' }];

      test('answers, whole and streamed, with usage', async () => {
        const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
        expect(whole.choices[0]?.message).toMatchObject({ role: 'assistant', content: '42' });
        const stream = await client.chat.completions.create({
          model,
          messages,
          temperature: 0,
          stream: true,
          stream_options: { include_usage: true },
        });
        let text = '';
        let usage = null;
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta.content ?? '';
          usage = chunk.usage ?? usage;
        }
        expect(text).toBe('42');
        expect(usage).toEqual(whole.usage);
        const helper = client.chat.completions.stream({ model, messages, temperature: 0 });
        expect(await helper.finalContent()).toBe('42');
      });

      test('refuses tools in words', async () => {
        const tools = [{ type: 'function' as const, function: { name: 'f', parameters: {} } }];
        const error = await failure(client.chat.completions.create({ model, messages, tools }));
        expect(error).toBeInstanceOf(module.BadRequestError);
        expect(error.message).toMatch(/tools/);
        expect(error.param).toMatch(/^tools/);
      });

      test('gives up a stream that its client leaves, and answers the next', async () => {
        const stream = await client.chat.completions.create({
          model,
          messages,
          max_tokens: 400,
          temperature: 1,
          stream: true,
        });
        for await (const _ of stream) {
          stream.controller.abort();
          break;
        }
        const next = await client.chat.completions.create({ model, messages, temperature: 0 });
        expect(next.choices[0]?.message.content).toBe('42');
      });

      test('keeps to a JSON schema', async () => {
        const answer = await client.chat.completions.create({
          model,
          messages,
          temperature: 1,
          seed: 3,
          max_tokens: 200,
          response_format: {
            type: 'json_schema',
            json_schema: {
              name: 'sum',
              strict: true,
              schema: {
                type: 'object',
                properties: { mood: { enum: ['good', 'bad'] }, right: { type: 'boolean' } },
                required: ['mood', 'right'],
                additionalProperties: false,
              },
            },
          },
        });
        expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({
          mood: expect.stringMatching(/^(good|bad)$/) as string,
          right: expect.any(Boolean) as boolean,
        });
      });
    });

    test('errors have their class, code and field', async () => {
      const unknown = await failure(connect({ apiKey: 'ey_no' }).models.list());
      expect(unknown).toBeInstanceOf(module.AuthenticationError);
      expect(unknown.code).toBe('invalid_api_key');
      const value = await failure(client.completions.create({ model, prompt: sum, temperature: 3 }));
      expect(value).toBeInstanceOf(module.BadRequestError);
      expect(value).toMatchObject({ code: 'invalid_value', param: 'temperature' });
      expect(value.requestID).toMatch(/^req_/);
      const name = await failure(client.completions.create({ model: 'gpt-4', prompt: sum }));
      expect(name).toMatchObject({ status: 404, code: 'model_not_found' });
      const embeddings = await failure(client.embeddings.create({ model, input: 'x' }));
      expect(embeddings).toBeInstanceOf(module.BadRequestError);
    });
  });
});
