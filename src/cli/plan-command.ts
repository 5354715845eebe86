import { Option, type Command } from 'commander';
import type { Fp8Keep } from '../domain/engine-choices.js';
import { EyrieError } from '../domain/errors.js';
import type { FalconShape } from '../domain/falcon-shape.js';
import { gpuNames, type GpuName } from '../domain/gpu/cards.js';
import { publishedShapes } from '../domain/gpu/published-shapes.js';
import { cardWeights, type CardWeights } from '../domain/model-memory.js';
import { dtypeOption } from './dtype-option.js';
import { fp8KeepOption } from './fp8-keep-option.js';
import { positiveNumber, wholeNumber } from './option-numbers.js';

interface PlanFlags {
  readonly gpu: string;
  readonly count: number;
  readonly weights?: CardWeights;
  readonly fp8Keep: readonly Fp8Keep[];
  readonly tensorParallel?: number;
  readonly model?: string;
  readonly form: keyof typeof publishedShapes;
  readonly promptTokens?: number;
  readonly outputTokens?: number;
  readonly usdPerHour?: number;
  readonly json: boolean;
}

function gpuNamed(text: string): GpuName {
  const name = gpuNames.find((known) => known === text.toLowerCase());
  if (name === undefined)
    throw new EyrieError('invalid_request', `--gpu is ${JSON.stringify(text)}; allowed are ${gpuNames.join(', ')}.`);
  return name;
}

/** `readModel` reads a checkpoint's config; `demo` is one. */
export function addPlanCommand(
  program: Command,
  readModel: (folder: string) => Promise<{ readonly id: string; readonly shape: FalconShape }>,
): void {
  program
    .command('plan')
    .description('What fits a number of GPUs, how fast it should be, and what a million tokens cost. Needs no GPU.')
    .requiredOption('--gpu <name>', `kind of card: ${gpuNames.join(', ')}`)
    .option('--count <number>', 'cards', wholeNumber(1, 4096), 1)
    .addOption(
      dtypeOption(
        '--weights <type>',
        'number format of the layers (default: fp8 where the card has it, else int8)',
        cardWeights,
      ),
    )
    .addOption(fp8KeepOption())
    .option(
      '--tensor-parallel <number>',
      'cards that share one model (default: what gives most tokens a second)',
      wholeNumber(1, 8),
    )
    .option('--model <folder>', 'demo, or the folder of a Falcon checkpoint, instead of --form')
    .addOption(
      new Option('--form <name>', 'a published model')
        .choices(Object.keys(publishedShapes))
        .default('40b')
        .conflicts('model'),
    )
    .option(
      '--prompt-tokens <number>',
      'of a typical line (default: 300, or half of a shorter context)',
      wholeNumber(1, 131_072),
    )
    .option('--output-tokens <number>', 'of a typical line (default: the same)', wholeNumber(1, 131_072))
    .option('--usd-per-hour <price>', 'price of one card', positiveNumber)
    .option('--json', 'one JSON document', false)
    .action(async (options: PlanFlags) => {
      const { gpuPlan, printPlan } = await import('./commands/plan.js');
      const folder = options.model === undefined ? null : await readModel(options.model);
      const [model, shape] = folder
        ? [folder.id, folder.shape]
        : [`falcon-${options.form}`, publishedShapes[options.form]];
      const typicalTokens = Math.min(300, Math.floor(shape.contextTokens / 2));
      const question = {
        ...options,
        promptTokens: options.promptTokens ?? typicalTokens,
        outputTokens: options.outputTokens ?? typicalTokens,
        gpu: gpuNamed(options.gpu),
        weights: options.weights ?? null,
        tensorParallel: options.tensorParallel ?? null,
      };
      printPlan(gpuPlan(model, shape, question, options.usdPerHour ?? null), options.json);
    });
}
