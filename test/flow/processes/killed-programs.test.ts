import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { comparable, LocalMode, processesWith, runCli, tinyModel } from '../../support/local-mode.js';
import { requestLines } from '../../support/request-lines.js';
import { makeTempFolder } from '../../support/temp-folder.js';

const lines = 300;
let folder: string;
let service: LocalMode;

beforeEach(async () => {
  folder = await makeTempFolder();
  service = await LocalMode.start(path.join(folder, 'data'));
});
afterEach(async () => {
  await service.stop();
  await rm(folder, { recursive: true });
});

async function submit(): Promise<{ id: string; file: string }> {
  const file = path.join(folder, 'in.jsonl');
  await writeFile(file, requestLines(lines, service.modelId, 100));
  const client = service.client();
  const input = await client.files.create({ file: new File([await readFile(file)], 'in.jsonl'), purpose: 'batch' });
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
  return { id, file };
}

async function expectWhole(id: string, file: string): Promise<void> {
  const client = service.client();
  await eventually(
    'the end of the batch',
    async () => (await client.batches.retrieve(id)).status === 'completed',
    120_000,
  );
  const batch = await client.batches.retrieve(id);
  expect(batch.request_counts).toEqual({ total: lines, completed: lines, failed: 0 });
  const results = comparable(await (await client.files.content(batch.output_file_id ?? '')).text());
  const undisturbed = path.join(folder, 'undisturbed.jsonl');
  expect((await runCli(['run-batch', '-i', file, '-o', undisturbed, '--model', tinyModel])).code).toBe(0);
  expect(results).toEqual(comparable(await readFile(undisturbed, 'utf8')));
}

test('kill -9 of the worker in the middle of a batch and of control just after loses and doubles nothing', async () => {
  const { id, file } = await submit();
  const [worker] = service.programs('generate');
  const [control] = service.programs('control');
  expect(worker).toBeTypeOf('number');
  process.kill(worker ?? 0, 'SIGKILL');
  process.kill(control ?? 0, 'SIGKILL');
  await eventually('another worker', () => service.programs('generate').some((pid) => pid !== worker), 60_000);
  await expectWhole(id, file);
  expect(service.programs('control')).not.toContain(control);
}, 240_000);

test('kill -9 of eyrie dev leaves nothing running, and the next start finishes the batch', async () => {
  const { id, file } = await submit();
  await service.stop('SIGKILL');
  await eventually('the end of every process', () => processesWith(service.dataFolder).length === 0, 20_000);
  service = await LocalMode.start(path.join(folder, 'data'));
  await expectWhole(id, file);
}, 240_000);

test('Ctrl-C in the middle of a batch ends in order, and the next start finishes it', async () => {
  const { id, file } = await submit();
  expect(await service.stop('SIGINT')).toBe(0);
  expect(processesWith(service.dataFolder)).toEqual([]);
  service = await LocalMode.start(path.join(folder, 'data'));
  await expectWhole(id, file);
}, 240_000);
