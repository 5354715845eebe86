import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { comparable, LocalMode, runCli, tinyModel } from '../../support/local-mode.js';
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

async function throughApi(file: string): Promise<string> {
  const client = service.client();
  const input = await client.files.create({ file: new File([await readFile(file)], 'in.jsonl'), purpose: 'batch' });
  const { id } = await client.batches.create({
    input_file_id: input.id,
    endpoint: '/v1/completions',
    completion_window: '24h',
  });
  let output = '';
  await eventually(
    'the end of the batch',
    async () => {
      const batch = await client.batches.retrieve(id);
      output = batch.output_file_id ?? '';
      return batch.status === 'completed';
    },
    60_000,
  );
  return (await client.files.content(output)).text();
}

async function throughInbox(file: string): Promise<string> {
  const drop = path.join(service.dataFolder, 'store/inbox/dev/nightly.jsonl');
  await writeFile(`${drop}.part`, await readFile(file));
  await rename(`${drop}.part`, drop);
  const outbox = path.join(service.dataFolder, 'store/outbox/dev');
  let result = '';
  await eventually(
    'the outbox',
    async () => {
      const [name] = await readdir(outbox);
      if (name === undefined || !(await readdir(path.join(outbox, name))).includes('manifest.json')) return false;
      result = await readFile(path.join(outbox, name, 'output.jsonl'), 'utf8');
      return true;
    },
    60_000,
  );
  return result;
}

async function throughCommandLine(file: string, ...flags: string[]): Promise<string> {
  const output = path.join(folder, `out${flags.join('')}.jsonl`);
  const { code, stderr } = await runCli(['run-batch', '-i', file, '-o', output, '--model', tinyModel, ...flags]);
  expect(stderr).toContain('0 failed');
  expect(code).toBe(0);
  return readFile(output, 'utf8');
}

test('the same lines give the same response bodies through the API, the inbox and run-batch', async () => {
  const file = path.join(folder, 'in.jsonl');
  await writeFile(file, requestLines(150, service.modelId, 24));
  const byApi = comparable(await throughApi(file));
  expect(byApi).toHaveLength(150);
  expect(comparable(await throughInbox(file))).toEqual(byApi);
  expect(comparable(await throughCommandLine(file, '--threads', '1'))).toEqual(byApi);
  expect(
    comparable(await throughCommandLine(file, '--threads', '2', '--slots', '3', '--prefill-tokens', '64')),
  ).toEqual(byApi);
});
