import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { descendants, LocalMode, runCli, tinyModel } from '../../support/local-mode.js';
import { projectRoot } from '../../support/project-imports.js';
import { requestLines } from '../../support/request-lines.js';
import { makeTempFolder } from '../../support/temp-folder.js';

let folder: string;
beforeEach(async () => (folder = await makeTempFolder()));
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('eyrie dev', () => {
  test('starts workers from zero, lets them idle out, and starts Redis again when that is killed', async () => {
    const service = await LocalMode.start(path.join(folder, 'data'), ['--idle', '2']);
    try {
      expect(service.programs('generate')).toEqual([]);
      const document = (await (await fetch(new URL('/openapi.json', service.url))).json()) as {
        info: { version: string };
      };
      expect(document.info.version).toBe((await runCli(['--version'])).stdout.trim());
      const client = service.client();
      const run = async (): Promise<void> => {
        const input = await client.files.create({
          file: new File([requestLines(5, service.modelId, 8)], 'in.jsonl'),
          purpose: 'batch',
        });
        const { id } = await client.batches.create({
          input_file_id: input.id,
          endpoint: '/v1/completions',
          completion_window: '24h',
        });
        await eventually(
          'the end of the batch',
          async () => (await client.batches.retrieve(id)).status === 'completed',
          60_000,
        );
      };
      await run();
      expect(service.programs('generate')).toHaveLength(1);
      await eventually('an idle worker to end', () => service.programs('generate').length === 0, 20_000);
      const [redis] = descendants(service.pid, 'redis-server');
      process.kill(redis ?? 0, 'SIGKILL');
      await eventually(
        'another Redis',
        () => descendants(service.pid, 'redis-server').some((pid) => pid !== redis),
        20_000,
      );
      await run();
    } finally {
      expect(await service.stop()).toBe(0);
    }
  }, 120_000);

  test('prints an example that works when it is pasted into a shell', async () => {
    const service = await LocalMode.start(path.join(folder, 'data'));
    try {
      const shell = spawnSync('sh', ['-c', service.example], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
      const [, result] = shell.stdout.trim().split('\n');
      expect(JSON.parse(result ?? '')).toMatchObject({
        custom_id: 'hello',
        response: { status_code: 200 },
        error: null,
      });
    } finally {
      await service.stop();
    }
  }, 90_000);

  test.each([
    ['a folder without a model', ['--model', '/nonexistent'], 'model_unreadable', 'No config.json'],
    ['a data folder that cannot be made', ['--data', '/proc/eyrie'], 'config_invalid', 'cannot be written'],
    ['a port that is no number', ['--port', 'http'], '', 'A whole number from 1 to 65535 is required'],
  ])('refuses %s with a clear message', async (_, args, code, text) => {
    const { code: status, stderr } = await runCli([
      'dev',
      '--data',
      path.join(folder, 'data'),
      '--model',
      tinyModel,
      ...args,
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toContain(code);
    expect(stderr).toContain(text);
  });

  test('refuses a port and a data folder that are in use', async () => {
    const service = await LocalMode.start(path.join(folder, 'data'));
    try {
      const port = new URL(service.url).port;
      const samePort = await runCli([
        'dev',
        '--data',
        path.join(folder, 'other'),
        '--model',
        tinyModel,
        '--port',
        port,
      ]);
      expect(samePort).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`port_in_use: Port ${port}`) as string,
      });
      const sameFolder = await runCli(['dev', '--data', path.join(folder, 'data'), '--model', tinyModel]);
      expect(sameFolder).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`in use by process ${service.pid}`) as string,
      });
    } finally {
      await service.stop();
    }
  }, 60_000);
});

describe('eyrie run-batch', () => {
  const runBatch = (input: string, output: string, ...flags: string[]) =>
    runCli(['run-batch', '-i', input, '-o', output, '--model', tinyModel, ...flags]);

  test('gives every line its result or its error, in input order', async () => {
    const input = path.join(folder, 'in.jsonl');
    const good = requestLines(1, '40b', 8);
    const line = (change: object): string => JSON.stringify({ ...(JSON.parse(good) as object), ...change });
    const body = (change: object): object => ({ body: { ...(JSON.parse(good) as { body: object }).body, ...change } });
    const lines = [
      good.trim(),
      'no json',
      good.trim(),
      line({ custom_id: 'url', url: '/v1/embeddings' }),
      line({ custom_id: 'model', ...body({ model: 'gpt-4' }) }),
      line({ custom_id: 'long', ...body({ prompt: Array.from({ length: 3000 }, () => 20) }) }),
      line({ custom_id: 'ids', ...body({ prompt: [12, 13], return_token_ids: true, max_tokens: 3 }) }),
    ];
    await writeFile(input, lines.join('\n'));
    const output = path.join(folder, 'out.jsonl');
    expect((await runBatch(input, output)).code).toBe(0);
    const results = (await readFile(output, 'utf8'))
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as Result);
    expect(results.map(({ response }) => response.body.error?.code ?? response.status_code)).toEqual([
      200,
      'invalid_json_line',
      'duplicate_custom_id',
      'invalid_url',
      'model_not_found',
      'context_length_exceeded',
      200,
    ]);
    const [choice] = results.at(-1)?.response.body.choices ?? [];
    expect(choice?.prompt_token_ids).toEqual([12, 13]);
    expect(choice?.token_ids).toHaveLength(3);
    expect((await runBatch(input, output, '--fail-on-error')).code).toBe(3);
  }, 60_000);

  test('says what is wrong with its files', async () => {
    const missing = await runBatch(path.join(folder, 'none.jsonl'), path.join(folder, 'out.jsonl'));
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no such file') as string });
    const input = path.join(folder, 'in.jsonl');
    await writeFile(input, requestLines(1, '40b', 2));
    const unwritable = await runBatch(input, path.join(folder, 'none/out.jsonl'));
    expect(unwritable).toMatchObject({ code: 1, stderr: expect.stringContaining('could not be written') as string });
    const program = await runBatch(process.execPath, path.join(folder, 'out.jsonl'));
    expect(program).toMatchObject({ code: 1, stderr: expect.stringContaining('is not a JSONL file') as string });
    await writeFile(input, 'name,age\nAnna,5\n');
    const table = await runBatch(input, path.join(folder, 'out.jsonl'));
    expect(table.stderr).toContain('All 2 lines failed. The first: invalid_json_line');
  }, 60_000);

  test('on a full disk fails with disk_full and leaves no half file', async (context) => {
    const disk = path.join(folder, 'disk');
    await mkdir(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status !== 0)
      context.skip('a small file system cannot be mounted without root');
    try {
      const input = path.join(folder, 'in.jsonl');
      await writeFile(input, requestLines(200, '40b', 60));
      const output = path.join(disk, 'out.jsonl');
      expect(await runBatch(input, output)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('disk_full') as string,
      });
      await expect(readFile(output)).rejects.toThrow('ENOENT');
      await expect(readFile(`${output}.partial`)).rejects.toThrow('ENOENT');
    } finally {
      spawnSync('umount', [disk]);
    }
  }, 60_000);
});

interface Result {
  readonly response: {
    readonly status_code: number;
    readonly body: {
      readonly error?: { readonly code: string };
      readonly choices?: readonly { token_ids: number[]; prompt_token_ids: number[] }[];
    };
  };
}

describe('the set-up script', () => {
  test('without a compiler and without a package manager says what to install', async () => {
    // A PATH with everything the script needs but the compiler.
    const bin = path.join(folder, 'bin');
    await mkdir(bin);
    for (const tool of ['bash', 'node', 'dirname', 'find', 'redis-server', 'cmake', 'ninja', 'mktemp', 'id', 'env']) {
      const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
      if (found) await symlink(found, path.join(bin, tool));
    }
    const { status, stderr } = spawnSync(path.join(bin, 'bash'), ['infra/setup/setup.sh'], {
      cwd: projectRoot,
      env: { PATH: bin },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/Missing: g\+\+/);
  });

  test('is quick and silent when nothing is missing', () => {
    spawnSync('bash', ['infra/setup/setup.sh'], { cwd: projectRoot });
    const again = spawnSync('bash', ['infra/setup/setup.sh'], { cwd: projectRoot, encoding: 'utf8' });
    expect(again).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});
