import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type OpenAI from 'openai';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { LocalMode } from '../../support/local-mode.js';
import { projectRoot } from '../../support/project-imports.js';
import { makeTempFolder } from '../../support/temp-folder.js';

// Real programs, a real Redis, the real engine: only what is to fail is made to fail, from outside (program-faults.mjs).
const hook = fileURLToPath(new URL('../../support/program-faults.mjs', import.meta.url));
const lines = 64;
const markedLine = 41;
const crashToken = 5;
const throwToken = 6;
const plainToken = 7;
const endsWithinMs = 120_000;

let folder: string;
let service: LocalMode;

beforeEach(async () => {
  folder = await makeTempFolder();
  await setFaults({});
  service = await LocalMode.start(path.join(folder, 'data'), ['--workers-max', '1'], {
    NODE_OPTIONS: `--import ${hook}`,
    PROGRAM_FAULTS: path.join(folder, 'faults.json'),
    PROGRAM_FAULTS_ROOT: path.join(projectRoot, 'dist'),
    EYRIE_LOCK_MS: '2000',
    EYRIE_STALLED_CHECK_MS: '1000',
  });
});
afterEach(async () => {
  await service.stop();
  await rm(folder, { recursive: true });
});

const setFaults = (faults: object): Promise<void> =>
  writeFile(path.join(folder, 'faults.json'), JSON.stringify(faults));

/** A batch of token prompts; `marked` begins the prompt of one line. */
async function submit(marked: number): Promise<string> {
  const text = Array.from({ length: lines }, (_, at) =>
    JSON.stringify({
      custom_id: `line-${at}`,
      method: 'POST',
      url: '/v1/completions',
      body: {
        model: service.modelId,
        prompt: [at === markedLine ? marked : plainToken, at + 8, 9],
        max_tokens: 4,
        temperature: 0,
      },
    }),
  ).join('\n');
  const client = service.client();
  const file = await client.files.create({ file: new File([text], 'in.jsonl'), purpose: 'batch' });
  const endpoint = '/v1/completions';
  return (await client.batches.create({ input_file_id: file.id, endpoint, completion_window: '24h' })).id;
}

type Batch = OpenAI.Batch & {
  readonly eyrie: {
    readonly attempts: { readonly workers_lost: number; readonly failed: number };
    readonly given_up: Readonly<Record<string, number>>;
  };
};

async function untilEnd(id: string): Promise<Batch> {
  const client = service.client();
  const ended = async (): Promise<boolean> =>
    ['completed', 'failed'].includes((await client.batches.retrieve(id)).status);
  await eventually(`the end of ${id}`, ended, endsWithinMs);
  return (await client.batches.retrieve(id)) as Batch;
}

interface Line {
  readonly custom_id: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

async function linesOf(fileId: string | null | undefined): Promise<Line[]> {
  const text = await (await service.client().files.content(fileId ?? '')).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

test('a prompt that kills its worker: its line is given up, all others have their answers, other batches end', async () => {
  await setFaults({ crashToken });
  const poisoned = await submit(crashToken);
  const healthy = await submit(plainToken);
  expect(await untilEnd(healthy)).toMatchObject({
    status: 'completed',
    request_counts: { completed: lines, failed: 0 },
  });
  const batch = await untilEnd(poisoned);
  expect(batch).toMatchObject({
    status: 'completed',
    request_counts: { total: lines, completed: lines - 1, failed: 1 },
    eyrie: { attempts: { workers_lost: 5 }, given_up: { worker_crashed: 1 } },
  });
  expect(await linesOf(batch.error_file_id)).toMatchObject([
    { custom_id: `line-${markedLine}`, error: { code: 'worker_crashed' } },
  ]);
  const answered = (await linesOf(batch.output_file_id)).map((line) => line.custom_id);
  const all = Array.from({ length: lines }, (_, at) => `line-${at}`);
  expect(answered).toEqual(all.filter((name) => name !== `line-${markedLine}`));
  expect(service.printed().match(/lines\.given_up/g)).toHaveLength(1);
}, 240_000);

test('a shard that always throws: the line that does it is given up, all others have their answers', async () => {
  await setFaults({ throwToken });
  const failing = await submit(throwToken);
  const healthy = await submit(plainToken);
  expect(await untilEnd(healthy)).toMatchObject({ request_counts: { completed: lines } });
  const batch = await untilEnd(failing);
  expect(batch).toMatchObject({
    status: 'completed',
    request_counts: { completed: lines - 1, failed: 1 },
    eyrie: { attempts: { workers_lost: 0 }, given_up: { internal_error: 1 } },
  });
  expect(await linesOf(batch.error_file_id)).toMatchObject([
    { custom_id: `line-${markedLine}`, error: { code: 'internal_error' } },
  ]);
}, 240_000);

test('a finish that always throws: the batch fails with the cause, and what was generated can be read', async () => {
  const client = service.client();
  const id = await submit(plainToken);
  await setFaults({ unfinishable: id });
  const healthy = await submit(plainToken);
  expect(await untilEnd(healthy)).toMatchObject({ status: 'completed' });
  const batch = await untilEnd(id);
  expect(batch).toMatchObject({
    status: 'failed',
    request_counts: { total: lines, completed: lines, failed: 0 },
    output_file_id: null,
    errors: { data: [{ code: 'internal_error' }] },
  });
  expect(batch.errors?.data?.[0]?.message).toContain(`/v1/batches/${id}/results`);
  const results = await fetch(`${client.baseURL}/batches/${id}/results?limit=1000`, {
    headers: { authorization: `Bearer ${service.apiKey}` },
  });
  expect(((await results.json()) as { data: unknown[] }).data).toHaveLength(lines);
  // Nothing of it is tried again.
  const attempts = path.join(service.dataFolder, 'store/t/dev/b', id, 'attempts/finish');
  const before = (await readdir(attempts)).length;
  await eventually(
    'another batch after it',
    async () => (await untilEnd(await submit(plainToken))).status === 'completed',
  );
  expect((await readdir(attempts)).length).toBe(before);
}, 240_000);
