import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { dtypes, isas } from '../src/domain/engine-choices.js';
import type { ControlPlaneOptions } from './control-plane.js';
import type { FairnessOptions } from './fairness.js';
import type { HostCostOptions } from './host-cost.js';
import type { IngestOptions } from './ingest.js';
import type { LoadOptions } from './load.js';
import type { OfflineFigures, OfflineOptions } from './offline.js';
import type { PaddingOptions } from './padding.js';
import type { PeersOptions } from './peers.js';
import type { ServiceOptions } from './service.js';
import type { SweepOptions } from './sweep.js';

/** Named scenarios; each prints a table for people, or one JSON line with --json. */

function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`A whole number from ${min} to ${max} is required.`);
    return value;
  };
}

function print(figures: object, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    return;
  }
  const write = (value: object, indent: string): void => {
    for (const [name, entry] of Object.entries(value) as [string, unknown][])
      if (typeof entry === 'object' && entry !== null) {
        process.stdout.write(`${indent}${name}\n`);
        write(entry, `${indent}  `);
      } else
        process.stdout.write(
          `${indent}${name.padEnd(30)}${typeof entry === 'number' ? Number(entry.toPrecision(5)) : String(entry)}\n`,
        );
  };
  write(figures, '');
}

const program = new Command('npm run bench --').description('Benchmarks of Eyrie.');

program
  .command('offline')
  .description('A workload of token-id prompts through the engine alone.')
  .requiredOption('--model <folder>', 'a Falcon checkpoint')
  .requiredOption('--workload <file>', 'JSON lines {"prompt": [ids], "max_tokens": n}')
  .option('--threads <number>', 'compute threads', wholeNumber(1, 256), availableParallelism())
  .option('--slots <number>', 'sequences decoded together', wholeNumber(1, 1024), 32)
  .option('--prefill-tokens <number>', 'token budget of a prefill pack', wholeNumber(16, 8192), 512)
  .addOption(new Option('--dtype <type>').choices(dtypes).default('bfloat16'))
  .addOption(new Option('--isa <level>').choices(isas).default('auto'))
  .option('--json', 'one JSON line', false)
  .action(async (options: OfflineOptions & { json: boolean }) => {
    const { benchOffline } = await import('./offline.js');
    const figures: OfflineFigures = await benchOffline(options);
    print(figures, options.json);
  });

program
  .command('load')
  .description('Loading a checkpoint: time and peak memory. Baseline: its files read and packed at bandwidth.')
  .requiredOption('--model <folder>', 'a Falcon checkpoint, of some GB')
  .option('--threads <number>', 'threads that pack', wholeNumber(1, 256), availableParallelism())
  .option('--rounds <number>', 'rounds; the best counts', wholeNumber(1, 100), 3)
  .addOption(new Option('--dtype <type>').choices(dtypes).default('bfloat16'))
  .addOption(new Option('--isa <level>').choices(isas).default('auto'))
  .option('--json', 'one JSON line', false)
  .action(async (options: LoadOptions & { json: boolean }) => {
    const { benchLoad } = await import('./load.js');
    print(await benchLoad(options), options.json);
  });

program
  .command('padding')
  .description('Padding and idle slot-steps of log-normal lines. Baseline: static batches.')
  .option('--model <folder>', 'a Falcon checkpoint; a small one will do', 'models/demo')
  .option('--lines <number>', 'lines', wholeNumber(1, 1_000_000), 2000)
  .option('--slots <number>', 'sequences decoded together', wholeNumber(1, 1024), 32)
  .option('--prefill-tokens <number>', 'token budget of a prefill pack', wholeNumber(16, 8192), 512)
  .option('--json', 'one JSON line', false)
  .action(async (options: PaddingOptions & { json: boolean }) => {
    const { benchPadding } = await import('./padding.js');
    print(await benchPadding(options), options.json);
  });

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

program
  .command('peers')
  .description('Our engine and other engines over the same checkpoint and workload, in turn.')
  .requiredOption('--model <folder>', 'a Falcon checkpoint')
  .requiredOption('--workload <file>', 'JSON lines {"prompt": [ids], "max_tokens": n}')
  .option('--threads <number>', 'compute threads', wholeNumber(1, 256), availableParallelism())
  .option('--slots <number>', 'sequences decoded together', wholeNumber(1, 1024), 32)
  .option('--dtype <type>', 'number format', 'bfloat16')
  .option('--rounds <number>', 'rounds; the best counts', wholeNumber(1, 100), 3)
  .option('--int8', 'our engine with 8-bit weights, too', false)
  .option('--driver <script>', 'runs one peer', '../shared/peer-bench/run.py')
  .option('--peer <name=python>', 'interpreter with a peer (vllm, hf, llamacpp, ct2); may be repeated', collect, [])
  .option('--peer-model <name=path>', 'converted model of a peer; may be repeated', collect, [])
  .option('--preload <name=libraries>', 'LD_PRELOAD of a peer; may be repeated', collect, [])
  .option('--json', 'one JSON line', false)
  .action(async (options: PeersOptions & { json: boolean }) => {
    const { benchPeers } = await import('./peers.js');
    const rows = await benchPeers(options, (progress) => process.stderr.write(`${progress}\n`));
    if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
    else
      for (const { peer, best, ratio, goal, note, useful_tokens_per_s: rounds } of rows) {
        const aim =
          goal &&
          `${goal.what} ${goal.goal} times: ${goal.short === 0 ? 'reached' : `short by ${(goal.short * 100).toFixed(1)} %`}`;
        const figures = `${best.toFixed(1).padStart(8)} useful tokens/s   ours is ${ratio} times that   rounds ${rounds.join(', ')}`;
        process.stdout.write(`${peer.padEnd(11)}${note ?? [figures, aim].filter(Boolean).join('   ')}\n`);
      }
  });

program
  .command('control-plane')
  .description(
    'Everything but the engine, with an engine that answers at once. Baseline: JSON in and out in one thread.',
  )
  .option('--model <name>', 'demo, or the folder of a Falcon checkpoint', 'demo')
  .option('--lines <number>', 'lines of the largest step', wholeNumber(1000, 10_000_000), 1_000_000)
  .option('--json', 'one JSON line', false)
  .action(async (options: ControlPlaneOptions & { json: boolean }) => {
    const { benchControlPlane } = await import('./control-plane.js');
    print(await benchControlPlane(options), options.json);
  });

program
  .command('ingest')
  .description('The largest input file: uploaded, validated, planned. Baseline: memory after a tenth of it.')
  .option('--model <name>', 'demo, or the folder of a Falcon checkpoint', 'demo')
  .option('--lines <number>', 'lines', wholeNumber(100, 50_000), 50_000)
  .option('--megabytes <number>', 'size of the file', wholeNumber(1, 205), 200)
  .option('--json', 'one JSON line', false)
  .action(async (options: IngestOptions & { json: boolean }) => {
    const { benchIngest } = await import('./ingest.js');
    print(await benchIngest(options), options.json);
  });

program
  .command('fairness')
  .description(
    'Mixed batches in simulated time, by the order of the queue. Baseline: a fluid that is shared by weight.',
  )
  .option('--days <number>', 'simulated days', wholeNumber(1, 3650), 30)
  .option('--seed <number>', 'seed of the batches', wholeNumber(0, 2 ** 31), 1)
  .option('--clock <number>', 'virtual time of the queue at the beginning', wholeNumber(0, 2 ** 53), 0)
  .option('--json', 'one JSON line', false)
  .action(async (options: FairnessOptions & { json: boolean }) => {
    const { benchFairness } = await import('./fairness.js');
    print(benchFairness(options), options.json);
  });

program
  .command('service')
  .description('A batch from its creation to its end, by a worker that holds the model. Baseline: the engine alone.')
  .option('--model <name>', 'demo, or the folder of a Falcon checkpoint', 'demo')
  .option('--lines <number>', 'lines', wholeNumber(1, 50_000), 2000)
  .option('--max-tokens <number>', 'tokens generated for each line', wholeNumber(1, 512), 64)
  .option('--rounds <number>', 'rounds; the best counts', wholeNumber(1, 100), 5)
  .option('--json', 'one JSON line', false)
  .action(async (options: ServiceOptions & { json: boolean }) => {
    const { benchService } = await import('./service.js');
    print(await benchService(options), options.json);
  });

program
  .command('sweep')
  .description('What many open batches cost while nobody works on them. Baseline: the same reads one after the other.')
  .option('--batches <number>', 'open batches', wholeNumber(1, 100_000), 1000)
  .option('--shards <number>', 'shards of each', wholeNumber(2, 10_000), 200)
  .option('--latency <ms>', 'of every call of the store', wholeNumber(0, 1000), 20)
  .option('--quiet <seconds>', 'time in which nothing happens', wholeNumber(1, 3600), 60)
  .option('--lost <number>', 'jobs taken out of Redis', wholeNumber(1, 100_000), 1000)
  .option('--sweeps <number>', 'sweeps over which memory is looked at', wholeNumber(2, 10_000), 20)
  .option('--parts <number>', 'parts of the batch that is finished', wholeNumber(1, 10_000), 10_000)
  .option('--json', 'one JSON line', false)
  .action(async (options: SweepOptions & { json: boolean }) => {
    const { benchSweep } = await import('./sweep.js');
    print(await benchSweep(options), options.json);
  });

program
  .command('host-cost')
  .description('Admission, waiting queue and prefix search while a device computes. Baseline: 5 % of a pass of 20 ms.')
  .option('--waiting <number>', 'requests that wait', wholeNumber(1, 65_536), 65_000)
  .option('--slots <number>', 'sequences decoded together', wholeNumber(1, 1024), 256)
  .option('--passes <number>', 'passes measured', wholeNumber(100, 1_000_000), 4000)
  .option('--prompt <number>', 'median of the prompt tokens', wholeNumber(1, 1024), 300)
  .option('--output <number>', 'median of the output tokens', wholeNumber(1, 1024), 150)
  .option('--json', 'one JSON line', false)
  .action(async (options: HostCostOptions & { json: boolean }) => {
    const { benchHostCost } = await import('./host-cost.js');
    print(await benchHostCost(options), options.json);
  });

await program.parseAsync();
