import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { startRedisChild, type RedisChild } from '../../../../src/adapters/redis-child/redis-child.js';
import { ChildScript } from '../../../support/child-script.js';
import { eventually } from '../../../support/eventually.js';
import { tempFolder } from '../../../support/temp-folder.js';

const searchPath = process.env['PATH'] ?? '';

async function start(folder: string): Promise<RedisChild> {
  const child = await startRedisChild({ folder, searchPath });
  onTestFinished(() => child.close());
  return child;
}

function connect(url: string): Redis {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  return redis;
}

async function answers(url: string): Promise<boolean> {
  const redis = connect(url);
  const alive = await redis.connect().then(
    () => true,
    () => false,
  );
  redis.disconnect();
  return alive;
}

/** Processes of a folder's server: command, pid, parent, process group. */
const processesOf = (folder: string): { pid: number; ppid: number; pgid: number; command: string }[] =>
  execFileSync('ps', ['-eo', 'pid=,ppid=,pgid=,args='], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line);
      const [, pid, ppid, pgid, command = ''] = match ?? [];
      // A Redis server shows its port instead of the file once it runs, so it is found through its guard.
      return match ? [{ pid: Number(pid), ppid: Number(ppid), pgid: Number(pgid), command }] : [];
    })
    .filter(({ pgid }, _i, all) => all.some((other) => other.pid === pgid && other.command.includes(folder)));

it('runs a server with a password, an append-only file, no eviction and no snapshots', async () => {
  const folder = await tempFolder();
  const { url } = await start(folder);
  const redis = connect(url);
  expect(await redis.ping()).toBe('PONG');
  const settings = (await redis.config('GET', 'append*', 'save', 'maxmemory-policy', 'bind')) as string[];
  const byName = Object.fromEntries(
    Array.from({ length: settings.length / 2 }, (_, i) => settings.slice(2 * i, 2 * i + 2) as [string, string]),
  );
  expect(byName).toMatchObject({
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    bind: '127.0.0.1',
  });
  const stranger = connect(url.replace(/:[0-9a-f]+@/, ':wrong@'));
  await expect(stranger.connect().then(() => stranger.ping())).rejects.toThrow();
});

it('keeps the password to this user, out of the list of processes, and its files in the folder', async () => {
  const folder = await tempFolder();
  const { url } = await start(folder);
  const password = new URL(url).password;
  expect(password.length).toBeGreaterThanOrEqual(32);
  expect(await readFile(path.join(folder, 'redis.conf'), 'utf8')).toContain(password);
  expect((await stat(path.join(folder, 'redis.conf'))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(password);
  expect((await readdir(folder)).toSorted()).toEqual(['appendonlydir', 'redis.conf', 'redis.log']);
});

it('has a process group of its own, out of reach of Ctrl-C', async () => {
  const folder = await tempFolder();
  await start(folder);
  const found = processesOf(folder);
  expect(found.some(({ command }) => command.includes('redis-server') || command.includes('valkey-server'))).toBe(true);
  const own = execFileSync('ps', ['-o', 'pgid=', '-p', String(process.pid)], { encoding: 'utf8' }).trim();
  expect(found.every(({ pgid }) => pgid !== Number(own))).toBe(true);
});

it('ends at close, leaves no process, and finds its data again, under another password', async () => {
  const folder = await tempFolder();
  const first = await start(folder);
  await connect(first.url).set('kept', 'yes');
  await first.close();
  await first.exited;
  expect(processesOf(folder)).toEqual([]);
  expect(await answers(first.url)).toBe(false);
  const second = await start(folder);
  expect(await connect(second.url).get('kept')).toBe('yes');
  expect(new URL(second.url).password).not.toBe(new URL(first.url).password);
});

it('ends when its parent is killed by kill -9, and the next one waits for that', async () => {
  const folder = await tempFolder();
  const parent = new ChildScript(new URL('./hold-redis.ts', import.meta.url), [folder]);
  const url = await parent.line();
  await connect(url).set('kept', 'yes');
  await parent.kill();
  const next = await start(folder);
  expect(await answers(url)).toBe(false);
  expect(await connect(next.url).get('kept')).toBe('yes');
});

it('does not survive the death of its guard, and says that it has ended', async () => {
  const folder = await tempFolder();
  const child = await start(folder);
  const guard = processesOf(folder).find(({ pid, pgid }) => pid === pgid);
  process.kill(guard?.pid ?? 0, 'SIGKILL');
  await child.exited;
  await eventually('the server has ended', async () => !(await answers(child.url)));
  await eventually('nothing is left of it', () => processesOf(folder).length === 0);
});

it('refuses a folder that another one uses', async () => {
  const folder = await tempFolder();
  await start(folder);
  await expect(startRedisChild({ folder, searchPath })).rejects.toMatchObject({
    code: 'queue_unavailable',
    message: expect.stringContaining('Another Eyrie uses the folder') as string,
  });
});

it('does not hang when its data is damaged, and names the log', async () => {
  const folder = await tempFolder();
  const first = await start(folder);
  await connect(first.url).set('a', 'b');
  await first.close();
  const aof = path.join(folder, 'appendonlydir');
  for (const name of await readdir(aof))
    if (name.endsWith('.aof')) await writeFile(path.join(aof, name), '*9\r\nnonsense');
  await expect(startRedisChild({ folder, searchPath })).rejects.toMatchObject({
    code: 'queue_unavailable',
    message: expect.stringContaining('redis.log') as string,
  });
});

it('says how to install it when there is none', async () => {
  const folder = await tempFolder();
  await expect(startRedisChild({ folder, searchPath: folder })).rejects.toMatchObject({
    code: 'redis_missing',
    message: expect.stringContaining('apt-get install redis-server') as string,
  });
});
