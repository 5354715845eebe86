import { createReadStream } from 'node:fs';
import { copyFile, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { EyrieError } from '../../domain/errors.js';
import { formatTable, matchAnswers } from '../demo/answer-table.js';
import { catchWebhooks, type WebhookCatcher } from '../demo/webhook-catcher.js';
import { modelDirectoryOf, startLocalService, type LocalParts, type LocalService } from '../dev/local-service.js';
import { note, pc, print } from '../output.js';
import { printable } from '../printable.js';

const webhookWaitMs = 120_000;
const pollMs = 200;

type Client = Awaited<ReturnType<typeof connect>>;

/** The official client as its users have it, pointed at this service. */
async function connect(service: LocalService) {
  const { default: OpenAI } = await import('openai').catch((cause: unknown) => {
    throw new EyrieError(
      'config_invalid',
      'The demo needs the npm package "openai". Run `npm install`, then try again.',
      { cause },
    );
  });
  const { apiKey, webhookSecret } = service.data.secrets;
  return new OpenAI({ baseURL: `${service.url}/v1`, apiKey, webhookSecret });
}

async function submit(client: Client, file: string): Promise<string> {
  const input = await client.files.create({ file: createReadStream(file), purpose: 'batch' });
  const batch = await client.batches.create({
    input_file_id: input.id,
    endpoint: '/v1/completions',
    completion_window: '24h',
    metadata: { run: 'demo' },
  });
  return batch.id;
}

/** Copied beside its final name first, so that nobody reads half a file. */
async function drop(service: LocalService, file: string): Promise<void> {
  const target = path.join(service.data.inbox, path.basename(file));
  await copyFile(file, `${target}.part`);
  await rename(`${target}.part`, target);
}

async function waitForEnd(client: Client, batchId: string) {
  for (;;) {
    const batch = await client.batches.retrieve(batchId);
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

interface Shapes {
  readonly source: string;
  readonly shapes: {
    readonly useful_tokens: number;
    readonly padded_prefill_tokens: number;
    readonly idle_slot_steps: number;
  } | null;
  readonly tokens_per_second: number | null;
}

async function show(client: Client, batchId: string, requests: string): Promise<boolean> {
  const batch = await waitForEnd(client, batchId);
  const files = [batch.output_file_id, batch.error_file_id].filter((id) => typeof id === 'string');
  const texts = await Promise.all(files.map(async (id) => (await client.files.content(id)).text()));
  const lines = matchAnswers(await readFile(requests, 'utf8'), texts.join(''));
  print(`\n${formatTable(lines, process.stdout.columns ?? 120)}\n`);
  const { shapes, tokens_per_second: speed, source } = (batch as unknown as { eyrie: Shapes }).eyrie;
  const { total = 0, completed = 0, failed = 0 } = batch.request_counts ?? {};
  print(
    `${source === 'inbox' ? 'inbox drop' : 'API batch'} ${batch.id}: ${pc.bold(batch.status)}, ${completed} of ${total} lines, ${failed} failed`,
  );
  if (shapes) {
    const rows = shapes.useful_tokens + shapes.padded_prefill_tokens + shapes.idle_slot_steps;
    const wasted = rows > 0 ? (100 * (rows - shapes.useful_tokens)) / rows : 0;
    print(
      `  ${shapes.useful_tokens} useful tokens, ${shapes.padded_prefill_tokens} padded prefill tokens, ${shapes.idle_slot_steps} idle slot-steps ` +
        `(${wasted.toFixed(1)} % of all rows), ${speed ?? 0} tokens/s`,
    );
  }
  return batch.status === 'completed' && completed === total;
}

/** Takes the webhooks of all batches and checks each with the client's own verifier. */
async function verifyWebhooks(client: Client, catcher: WebhookCatcher, count: number): Promise<string[]> {
  const batchIds: string[] = [];
  while (batchIds.length < count) {
    const { body, headers } = await catcher.next(webhookWaitMs);
    const event = await client.webhooks.unwrap(body, headers);
    if (event.type !== 'batch.completed') throw new Error(`The webhook says ${event.type}.`);
    batchIds.push(event.data.id);
    note(`webhook ${event.id}: ${event.type} ${event.data.id}, signature verified`);
  }
  return batchIds;
}

async function run(service: LocalService, catcher: WebhookCatcher): Promise<boolean> {
  const client = await connect(service);
  const model = modelDirectoryOf('demo');
  const byApi = path.join(model, 'requests-completions.jsonl');
  const byInbox = path.join(model, 'requests-chat.jsonl');
  const apiBatch = await submit(client, byApi);
  note(`submitted ${apiBatch} through the API; dropping ${path.basename(byInbox)} into the inbox`);
  await drop(service, byInbox);
  const told = await verifyWebhooks(client, catcher, 2);
  const inboxBatch = told.find((id) => id !== apiBatch);
  if (!told.includes(apiBatch) || inboxBatch === undefined)
    throw new Error(`The webhooks named ${told.join(' and ')}.`);
  const answered = [await show(client, apiBatch, byApi), await show(client, inboxBatch, byInbox)];
  const shown = (folder: string): string => path.relative(process.cwd(), folder);
  print(
    `\nresult files: ${shown(path.join(service.data.store, 't', 'dev', 'b'))}/*/out/ and ${shown(service.data.outbox)}/`,
  );
  print(`logs:         ${shown(service.data.logs)}/`);
  return answered.every(Boolean);
}

/** Empties the demo's folder, but never one that holds something else. */
async function emptyDataFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.length > 0 && !names.includes('secrets.json'))
    throw new EyrieError('config_invalid', `${folder} holds other files. Choose an empty folder with --data.`, {
      param: '--data',
    });
  await rm(folder, { recursive: true, force: true });
}

/** `eyrie demo`: the main job from end to end, on embedded defaults. Returns the exit code. */
export async function runDemo(options: { readonly data: string }, parts: LocalParts): Promise<number> {
  await emptyDataFolder(options.data);
  const catcher = await catchWebhooks();
  try {
    const service = await startLocalService(parts, {
      dataFolder: options.data,
      modelDirectory: modelDirectoryOf('demo'),
      host: '127.0.0.1',
      port: null,
      workersMax: 1,
      idleExitMs: 2000,
      webhooks: [{ id: 'we_demo', url: catcher.url }],
      logTo: 'files',
      onNote: note,
    });
    const interrupt = (): void => void service.stop().then(() => process.exit(130));
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    try {
      note(`Eyrie is up at ${service.url}/v1 with ${printable(service.modelId)}; no worker runs yet`);
      return (await run(service, catcher)) ? 0 : 1;
    } finally {
      await service.stop();
    }
  } finally {
    await catcher.close();
  }
}
