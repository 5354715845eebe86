import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readModelFolder } from '../../src/adapters/model-folder/read-model-folder.js';
import { startRedisChild } from '../../src/adapters/redis-child/redis-child.js';
import { keyDigest } from '../../src/adapters/static-tenants/key-digest.js';
import { localTenant } from '../../src/cli/dev/data-folder.js';
import { modelDirectoryOf, startLocalService, type LocalService } from '../../src/cli/dev/local-service.js';
import { manifestObject, type ManifestObject } from '../../src/contract/stored-objects.js';
import { keys } from '../../src/domain/object-keys.js';

export interface SystemOptions {
  /** `demo`, or the folder of a checkpoint. */
  readonly model: string;
  /** Default: the real engine. */
  readonly workerProgram?: string;
  /** Default 1. */
  readonly workersMax?: number;
}

/** How often the end of a batch is looked for: rarely enough not to be part of what is measured. */
const lookMs = 20;
const batchMsMax = 30 * 60_000;

/**
 * The whole service as `eyrie dev` runs it (real processes, Redis with its append-only file, a folder as store), in a folder of
 * its own that is removed afterwards.
 */
export class LocalSystem {
  readonly service: LocalService;
  readonly #folder: string;

  private constructor(service: LocalService, folder: string) {
    this.service = service;
    this.#folder = folder;
  }

  static async start({ model, workerProgram, workersMax = 1 }: SystemOptions): Promise<LocalSystem> {
    const folder = await mkdtemp(path.join(tmpdir(), 'eyrie-bench-'));
    const service = await startLocalService(
      {
        startRedis: (redisFolder) => startRedisChild({ folder: redisFolder, searchPath: process.env['PATH'] ?? '' }),
        keyDigest,
        readModelId: async (directory) => (await readModelFolder(directory)).id,
      },
      {
        dataFolder: folder,
        modelDirectory: modelDirectoryOf(model),
        host: '127.0.0.1',
        port: null,
        workersMax,
        idleExitMs: 600_000,
        webhooks: [],
        logTo: 'files',
        onNote: (text) => process.stderr.write(`${text}\n`),
        ...(workerProgram === undefined ? {} : { workerProgram }),
      },
    );
    return new LocalSystem(service, folder);
  }

  /** A call of the API; throws when its answer is no success. */
  async call(method: string, route: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.service.url}${route}`, {
      method,
      headers: {
        authorization: `Bearer ${this.service.data.secrets.apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${route} answered ${answer.status}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** Uploads a batch file. The body is sent as it is made: it is never in this process as a whole. */
  async upload(content: AsyncIterable<Uint8Array>): Promise<string> {
    const boundary = 'eyrie-bench-boundary';
    const body = (async function* () {
      yield Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n` +
          `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="bench.jsonl"\r\n` +
          'content-type: application/octet-stream\r\n\r\n',
      );
      yield* content;
      yield Buffer.from(`\r\n--${boundary}--\r\n`);
    })();
    const answer = await fetch(`${this.service.url}/v1/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.service.data.secrets.apiKey}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
      },
      body: ReadableStream.from(body),
      duplex: 'half',
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`The upload was answered ${answer.status}: ${text}`);
    return (JSON.parse(text) as { id: string }).id;
  }

  async submit(fileId: string): Promise<string> {
    const batch = await this.call('POST', '/v1/batches', {
      input_file_id: fileId,
      endpoint: '/v1/completions',
      completion_window: '24h',
    });
    return String(batch['id']);
  }

  /** Resolves once the batch has its plan (`plan`) or its end (`manifest`): the commit points themselves, seen at most 20 ms late. */
  async reached(batchId: string, point: 'plan' | 'manifest'): Promise<void> {
    const file = path.join(this.service.data.store, keys[point](localTenant, batchId));
    for (const end = Date.now() + batchMsMax; Date.now() < end; await sleep(lookMs))
      if (await stat(file).then(Boolean, () => false)) return;
    throw new Error(`${batchId} did not get its ${point}.json within ${batchMsMax / 60_000} minutes.`);
  }

  /** The record of a batch's end. */
  async manifest(batchId: string): Promise<ManifestObject> {
    const file = path.join(this.service.data.store, keys.manifest(localTenant, batchId));
    return manifestObject.parse(JSON.parse(await readFile(file, 'utf8')));
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
