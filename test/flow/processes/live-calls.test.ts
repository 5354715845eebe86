import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { APIError } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { LocalMode, runCli, tinyModel } from '../../support/local-mode.js';
import { requestLines } from '../../support/request-lines.js';
import { makeTempFolder } from '../../support/temp-folder.js';

let folder: string;
let service: LocalMode;

beforeAll(async () => {
  folder = await makeTempFolder();
  service = await LocalMode.start(path.join(folder, 'data'));
});
afterAll(async () => {
  await service.stop();
  await rm(folder, { recursive: true });
});

interface Line {
  readonly custom_id: string;
  readonly body: Readonly<Record<string, unknown>>;
}
interface Body {
  readonly id: string;
  readonly created: number;
  readonly choices: readonly { index: number; text: string; logprobs: { tokens: string[] } | null }[];
}

/** Lines with every option here and there, each with a seed; some score, as evaluation harnesses do. */
function seededLines(): Line[] {
  const lines = requestLines(60, service.modelId, 40).trim().split('\n');
  return lines.map((text, at) => {
    const line = JSON.parse(text) as Line;
    const scoring = { echo: true, logprobs: 1, max_tokens: 1, temperature: 0, n: 1 };
    return { ...line, body: { ...line.body, seed: at, ...(at % 5 === 0 ? scoring : {}) } };
  });
}

async function post(body: object): Promise<Response> {
  return fetch(`${service.url}/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const withoutIds = (body: Body): string => JSON.stringify({ ...body, id: '', created: 0 });

async function throughCommandLine(lines: readonly Line[]): Promise<Body[]> {
  const [input, output] = [path.join(folder, 'in.jsonl'), path.join(folder, 'out.jsonl')];
  await writeFile(input, lines.map((line) => JSON.stringify(line)).join('\n'));
  expect((await runCli(['run-batch', '-i', input, '-o', output, '--model', tinyModel])).code).toBe(0);
  const results = (await readFile(output, 'utf8')).trim().split('\n');
  return results.map((text) => (JSON.parse(text) as { response: { body: Body } }).response.body);
}

const longCall = { prompt: [20, 21, 22], max_tokens: 2000, ignore_eos: true, n: 8, seed: 1, temperature: 1 };

test('a call wakes a worker from zero, and many at once get what a batch file gets, whole and streamed', async () => {
  expect(service.programs('generate')).toEqual([]);
  const lines = seededLines();
  const expected = await throughCommandLine(lines);
  const bodies = await Promise.all(lines.map(async ({ body }) => (await (await post(body)).json()) as Body));
  expect(bodies.map(withoutIds)).toEqual(expected.map(withoutIds));
  expect(service.programs('generate')).toHaveLength(1);

  const client = service.client();
  const streamed = lines.map(async ({ body }) => {
    const texts: string[] = [];
    const tokens: string[][] = [];
    const stream = await client.completions.create({
      ...(body as never as { model: string; prompt: string }),
      stream: true,
    });
    for await (const event of stream)
      for (const { index, text, logprobs } of event.choices) {
        texts[index] = (texts[index] ?? '') + text;
        (tokens[index] ??= []).push(...(logprobs?.tokens ?? []));
      }
    return { texts, tokens };
  });
  expect(await Promise.all(streamed)).toEqual(
    expected.map(({ choices }) => ({
      texts: choices.map(({ text }) => text),
      tokens: choices.map(({ logprobs }) => logprobs?.tokens ?? []),
    })),
  );
}, 120_000);

test('a client that leaves a stream frees its slots', async () => {
  const ended = (): number => service.printed().match(/live\.done /g)?.length ?? 0;
  // The tiny model is quick: on a busy machine a call may be done before its client has left.
  for (let attempt = 0; attempt < 5 && !service.printed().includes('outcome=caller_gone'); attempt++) {
    const before = ended();
    const stream = await service
      .client()
      .completions.create({ model: service.modelId, ...longCall, n: 16, stream: true });
    for await (const _ of stream) break;
    stream.controller.abort();
    await eventually('the worker has ended the call', () => ended() > before, 60_000);
  }
  expect(service.printed()).toContain('outcome=caller_gone');
}, 120_000);

test('a call is answered in the middle of a large batch, which goes on', async () => {
  const client = service.client();
  const content = requestLines(400, service.modelId, 400);
  const input = await client.files.create({ file: new File([content], 'in.jsonl'), purpose: 'batch' });
  const { id } = await client.batches.create({
    input_file_id: input.id,
    endpoint: '/v1/completions',
    completion_window: '24h',
  });
  await eventually(
    'the first results',
    async () => ((await client.batches.retrieve(id)).request_counts?.completed ?? 0) > 0,
    60_000,
  );
  const answer = await client.completions.create({ model: service.modelId, prompt: 'Hi', max_tokens: 4 });
  expect(answer.choices).toHaveLength(1);
  expect((await client.batches.retrieve(id)).status).toBe('in_progress');
  await client.batches.cancel(id);
}, 120_000);

test('kill -9 of the worker: a call and a stream end with an error, and neither is risked again', async () => {
  const client = service.client().withOptions({ maxRetries: 0 });
  const quiet = client.completions.create({ model: service.modelId, ...longCall }).catch((cause: unknown) => cause);
  const stream = await client.completions.create({ model: service.modelId, ...longCall, stream: true });
  const [worker] = service.programs('generate');
  process.kill(worker ?? 0, 'SIGKILL');
  const read = async (): Promise<void> => {
    for await (const _ of stream);
  };
  const error: unknown = await read().catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ code: 'worker_crashed' });
  expect(await quiet).toMatchObject({ status: 500, code: 'worker_crashed' });
  const next = await client.completions.create({ model: service.modelId, prompt: 'Hi', max_tokens: 4 });
  expect(next.choices).toHaveLength(1);
  expect(service.programs('generate')).not.toContain(worker);
}, 120_000);
