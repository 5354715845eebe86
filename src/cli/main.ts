#!/usr/bin/env node
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { readVersion } from '../config/read-version.js';
import {
  devices,
  isas,
  tensorParallelMax,
  type DeviceChoice,
  type Dtype,
  type Fp8Keep,
  type Isa,
} from '../domain/engine-choices.js';
import { addAdminCommands } from './admin-command.js';
import type { LocalParts } from './dev/local-service.js';
import { dtypeOption } from './dtype-option.js';
import { fp8KeepOption } from './fp8-keep-option.js';
import { wholeNumber } from './option-numbers.js';
import { reportError, reportJsonError } from './output.js';
import { addPlanCommand } from './plan-command.js';
import { addSelfcheckCommand } from './selfcheck-command.js';

/** The `eyrie` command. Everything behind a command is loaded when that command runs, so that `--help` is quick. */

async function loadLocalParts(): Promise<LocalParts> {
  const [{ startRedisChild }, { keyDigest }, { readModelFolder }] = await Promise.all([
    import('../adapters/redis-child/redis-child.js'),
    import('../adapters/static-tenants/key-digest.js'),
    import('../adapters/model-folder/read-model-folder.js'),
  ]);
  return {
    startRedis: (folder, url) =>
      startRedisChild({ folder, searchPath: process.env['PATH'] ?? '', ...(url === undefined ? {} : { url }) }),
    keyDigest,
    readModelId: async (directory) => (await readModelFolder(directory)).id,
  };
}

const program = new Command('eyrie')
  .description('Batch generation for the Falcon models.')
  .version(readVersion())
  .showHelpAfterError('(eyrie COMMAND --help lists the options)')
  .configureHelp({ showGlobalOptions: true });

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

program
  .command('dev')
  .description('Run the whole service on this machine: API, control, a private Redis, workers from zero.')
  .option('--data <folder>', 'folder that holds everything', '.eyrie')
  .option('--model <name>', 'demo, or the folder of a Falcon checkpoint', 'demo')
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <number>', 'port to listen on (default: 8787 or the next free one)', wholeNumber(1, 65_535))
  .option('--workers-max <number>', 'most generate workers at once', wholeNumber(1, 16), 1)
  .option('--idle <seconds>', 'a worker without work for this long ends', wholeNumber(1, 86_400), 60)
  .option('--webhook <url>', 'send every batch event there (may be repeated)', collect, [])
  .action(
    async (options: {
      data: string;
      model: string;
      host: string;
      port?: number;
      workersMax: number;
      idle: number;
      webhook: string[];
    }) => {
      const { runDev } = await import('./commands/dev.js');
      process.exitCode = await runDev(
        { ...options, port: options.port ?? null, idleSeconds: options.idle },
        await loadLocalParts(),
      );
    },
  );

program
  .command('demo')
  .description('Start the service, run a batch and a bucket drop over the demo model, show the answers, stop.')
  .option('--data <folder>', 'folder that holds everything; emptied first', '.eyrie/demo')
  .action(async (options: { data: string }) => {
    const { runDemo } = await import('./commands/demo.js');
    process.exitCode = await runDemo(options, await loadLocalParts());
  });

program
  .command('run-batch')
  .description('Run a batch file through the engine, without queue or server.')
  .requiredOption('-i, --input <file>', 'JSONL batch file, or - for standard input')
  .requiredOption('-o, --output <file>', 'where the result lines go, in input order, or - for standard output')
  .requiredOption('--model <folder>', 'demo, or the folder of a Falcon checkpoint')
  .option('--served-model-name <name>', 'name that the lines call the model by')
  .option('--threads <number>', 'compute threads', wholeNumber(1, 256), availableParallelism())
  .option('--slots <number>', 'sequences decoded together (default: what suits the device)', wholeNumber(1, 1024))
  .option('--prefill-tokens <number>', 'token budget of a prefill pack (default: 512)', wholeNumber(16, 8192))
  .addOption(
    new Option('--device <name>', 'auto: a card that can hold the model, else the CPU')
      .choices(devices)
      .default('auto'),
  )
  .option('--tensor-parallel <number>', 'cards that share the model', wholeNumber(1, tensorParallelMax), 1)
  .addOption(dtypeOption('--dtype <type>', 'number format of the weights').default('bfloat16'))
  .addOption(fp8KeepOption())
  .addOption(new Option('--isa <level>', 'widest instruction set to use').choices(isas).default('auto'))
  .option('--fail-on-error', 'exit with 3 when a line failed', false)
  .action(async (options: RunBatchFlags) => {
    const { runBatch } = await import('./commands/run-batch.js');
    process.exitCode = await runBatch(options, () => openOffline(options));
  });

const models = program.command('model').description('Look at checkpoints, and convert them.');

models
  .command('inspect')
  .description('What a checkpoint is, whether it is sound, what memory it takes, what fits which card, its license.')
  .argument('<folder>', 'demo, or the folder of a Falcon checkpoint')
  .option('--json', 'one JSON document', false)
  .action(async (folder: string, { json }: { json: boolean }) => {
    const [{ inspectModel }, { printInspection }, { modelDirectoryOf }] = await Promise.all([
      import('../compose/inspect-model.js'),
      import('./commands/model-inspect.js'),
      import('./dev/local-service.js'),
    ]);
    printInspection(await inspectModel(modelDirectoryOf(folder)), json);
  });

models
  .command('convert')
  .description('Write a checkpoint of any form in ours: safetensors shards with bfloat16 or 8-bit weights.')
  .argument('<folder>', 'demo, or the folder of a Falcon checkpoint')
  .argument('<out>', 'the folder to write; it appears whole or not at all')
  .addOption(
    dtypeOption('--dtype <type>', 'number format of the weights', ['bfloat16', 'int8', 'fp8']).default('bfloat16'),
  )
  .option('--shard-mib <number>', 'most MiB of tensors in a file', wholeNumber(1, 1 << 20), 4096)
  .option('--threads <number>', 'threads that convert', wholeNumber(1, 256), availableParallelism())
  .option('--force', 'replace a model that lies there already', false)
  .action(
    async (
      folder: string,
      out: string,
      options: { dtype: 'bfloat16' | 'int8' | 'fp8'; shardMib: number; threads: number; force: boolean },
    ) => {
      const [{ convertModel }, { runModelConvert }, { modelDirectoryOf }] = await Promise.all([
        import('../compose/convert-model.js'),
        import('./commands/model-convert.js'),
        import('./dev/local-service.js'),
      ]);
      const { dtype, threads, force: replace } = options;
      const shardBytesMax = options.shardMib * 2 ** 20;
      process.exitCode = await runModelConvert(out, (onProgress, signal) =>
        convertModel(
          { directory: modelDirectoryOf(folder), out, dtype, shardBytesMax, replace, threads },
          onProgress,
          signal,
        ),
      );
    },
  );

interface RunBatchFlags {
  readonly input: string;
  readonly output: string;
  readonly model: string;
  readonly servedModelName?: string;
  readonly threads: number;
  readonly slots?: number;
  readonly prefillTokens?: number;
  readonly device: DeviceChoice;
  readonly tensorParallel: number;
  readonly dtype: Dtype;
  readonly fp8Keep: readonly Fp8Keep[];
  readonly isa: Isa;
  readonly failOnError: boolean;
}

async function openOffline(options: RunBatchFlags) {
  const [
    { openModel },
    { openEngine },
    { whyNoCard },
    { SystemClock },
    { UlidIds },
    { modelDirectoryOf },
    { note, ProgressLine },
  ] = await Promise.all([
    import('../compose/open-model.js'),
    import('../compose/open-engine.js'),
    import('../adapters/engine-native/cuda-cards.js'),
    import('../adapters/system-clock/system-clock.js'),
    import('../adapters/ulid-ids/ulid-ids.js'),
    import('./dev/local-service.js'),
    import('./output.js'),
  ]);
  const model = await openModel(modelDirectoryOf(options.model), options.servedModelName ?? null);
  const progress = new ProgressLine();
  const settings = { ...options, slots: options.slots ?? null, prefillTokens: options.prefillTokens ?? null };
  const engine = await openEngine(model, settings, (done, total) => progress.showLoading(model.served.id, done, total));
  progress.end();
  const why = whyNoCard(engine.info);
  if (why !== null) note(`computed on the CPU: ${why}`);
  // One's own folder may be called by the name it was given on the command line, too.
  const named = { ...model.served, aliases: [...new Set([...model.served.aliases, options.model])] };
  return {
    engine,
    tokenizer: model.tokenizer,
    grammars: model.grammars,
    model: named,
    clock: new SystemClock(),
    ids: new UlidIds(),
  };
}

addPlanCommand(program, async (folder) => {
  const [{ readModelFolder }, { modelDirectoryOf }] = await Promise.all([
    import('../adapters/model-folder/read-model-folder.js'),
    import('./dev/local-service.js'),
  ]);
  return readModelFolder(modelDirectoryOf(folder));
});

addSelfcheckCommand(
  program,
  async () => (await import('../compose/check-devices.js')).checkDevices(),
  async ({ model: folder, device, tensorParallel, fp8Keep, slots, threads }) => {
    const [{ openModel }, { measuredFormat }, { modelDirectoryOf }] = await Promise.all([
      import('../compose/open-model.js'),
      import('../compose/measured-format.js'),
      import('./dev/local-service.js'),
    ]);
    const model = await openModel(modelDirectoryOf(folder), null);
    const { served, tokenizer, grammars } = model;
    const sizes = { slots: slots ?? null, prefillTokens: null, tensorParallel };
    const settings = { ...sizes, device, threads, isa: 'auto' } as const;
    return {
      // One's own folder may be called by the name it was given on the command line, too.
      rules: { model: { ...served, aliases: [...new Set([...served.aliases, folder])] }, tokenizer, grammars },
      layers: model.folder.shape.layers,
      format: (dtype) => measuredFormat(model, { ...settings, dtype, fp8Keep: dtype === 'fp8' ? fp8Keep : [] }),
    };
  },
);
addAdminCommands(program, async () => {
  const [{ readStoreSettings }, { openStore }, { SystemClock }, { UlidIds }, { PinoLog }] = await Promise.all([
    import('../config/read-environment.js'),
    import('../compose/open-store.js'),
    import('../adapters/system-clock/system-clock.js'),
    import('../adapters/ulid-ids/ulid-ids.js'),
    import('../adapters/pino-log/pino-log.js'),
  ]);
  const store = await openStore(readStoreSettings(process.env));
  const log = new PinoLog({ level: 'warn', pretty: true, program: 'admin' });
  return { store, clock: new SystemClock(), ids: new UlidIds(), log };
});

try {
  await program.parseAsync();
} catch (error) {
  if (process.argv.includes('--json')) reportJsonError(error);
  else reportError(error);
  process.exitCode = 1;
}
