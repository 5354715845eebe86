import path from 'node:path';
import { modelDirectoryOf, startLocalService, type LocalParts, type LocalService } from '../dev/local-service.js';
import { note, pc, print } from '../output.js';
import { printable } from '../printable.js';

export interface DevOptions {
  readonly data: string;
  readonly model: string;
  readonly host: string;
  readonly port: number | null;
  readonly workersMax: number;
  readonly idleSeconds: number;
  readonly webhook: readonly string[];
}

/** Commands that work when pasted into a shell: upload, create, poll, download. */
function example({ url, modelId, data }: LocalService): string {
  const request = {
    custom_id: 'hello',
    method: 'POST',
    url: '/v1/completions',
    body: { model: printable(modelId), prompt: '<human>: What is 12 plus 30?\n<bot>:', max_tokens: 24, temperature: 0 },
  };
  const field = (name: string): string => `sed 's/.*"${name}":"\\([^"]*\\)".*/\\1/'`;
  return [
    `API=${url}/v1 KEY='Authorization: Bearer ${data.secrets.apiKey}'`,
    `printf '%s\\n' '${JSON.stringify(request)}' > hello.jsonl`,
    `FILE=$(curl -s $API/files -H "$KEY" -F purpose=batch -F file=@hello.jsonl | ${field('id')})`,
    `BATCH=$(curl -s $API/batches -H "$KEY" -H 'Content-Type: application/json' -d '{"endpoint":"/v1/completions","completion_window":"24h","input_file_id":"'$FILE'"}' | sed 's/^{"id":"\\([^"]*\\)".*/\\1/')`,
    `until curl -s $API/batches/$BATCH -H "$KEY" | grep -E '"status":"(completed|failed)"'; do sleep 1; done`,
    `curl -s $API/files/$(curl -s $API/batches/$BATCH -H "$KEY" | ${field('output_file_id')})/content -H "$KEY"`,
  ]
    .map((line) => `  ${line}`)
    .join('\n');
}

function banner(service: LocalService, options: DevOptions): string {
  const { url, data } = service;
  const modelId = printable(service.modelId);
  const row = (name: string, value: string): string => `  ${pc.dim(name.padEnd(16))}${value}`;
  const folder = (name: string): string => path.relative(process.cwd(), name) || '.';
  return [
    '',
    `${pc.bold('Eyrie')} is ready. Development mode, not for production.`,
    '',
    row('API', `${url}/v1`),
    row('key', data.secrets.apiKey),
    row(
      'model',
      options.model === 'demo' ? `${modelId} (a small trained demo model: its answers are not Falcon-40B's)` : modelId,
    ),
    row('inbox', `${folder(data.inbox)}/   drop a .jsonl file here`),
    row('outbox', `${folder(data.outbox)}/`),
    row('metrics', Object.values(service.metricsUrls).join(' ')),
    row('webhook secret', data.secrets.webhookSecret),
    row(
      'workers',
      `0 now, up to ${options.workersMax} when there is work; idle ones end after ${options.idleSeconds} s`,
    ),
    '',
    `Try it in another terminal:`,
    '',
    example(service),
    '',
    pc.dim('Ctrl-C stops everything. Batches not finished go on at the next start.'),
  ].join('\n');
}

/** `eyrie dev`: the whole service on one machine, until Ctrl-C. Returns the exit code. */
export async function runDev(options: DevOptions, parts: LocalParts): Promise<number> {
  if (process.env['NODE_ENV'] === 'production') {
    note(
      'eyrie dev is not for production (NODE_ENV=production is set). docs/operations.md tells how to run the programs there.',
    );
    return 2;
  }
  const service = await startLocalService(parts, {
    dataFolder: options.data,
    modelDirectory: modelDirectoryOf(options.model),
    host: options.host,
    port: options.port,
    workersMax: options.workersMax,
    idleExitMs: options.idleSeconds * 1000,
    webhooks: options.webhook.map((url, index) => ({ id: `we_dev${index}`, url })),
    logTo: 'terminal',
    onNote: note,
  });
  print(banner(service, options));
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  note('stopping: work under way is finished or handed back; Ctrl-C again stops at once');
  process.once('SIGINT', () => process.exit(130));
  await service.stop();
  return 0;
}
