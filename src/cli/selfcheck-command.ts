import { availableParallelism } from 'node:os';
import { Option, type Command } from 'commander';
import type { LineRules } from '../app/line/line-request.js';
import type { Format } from '../app/quality/measure-quality.js';
import {
  checkFp8Keep,
  devices,
  tensorParallelMax,
  type DeviceChoice,
  type Dtype,
  type Fp8Keep,
} from '../domain/engine-choices.js';
import { EyrieError } from '../domain/errors.js';
import type { DeviceReport } from '../domain/gpu/device-report.js';
import { dtypeOption } from './dtype-option.js';
import { fp8KeepOption } from './fp8-keep-option.js';
import { wholeNumber } from './option-numbers.js';

export interface SelfcheckFlags {
  readonly model: string;
  readonly quality?: string;
  readonly dtype: Dtype;
  readonly against: Dtype;
  readonly lines: number;
  readonly layers?: number;
  readonly device: DeviceChoice;
  readonly tensorParallel: number;
  readonly fp8Keep: readonly Fp8Keep[];
  readonly slots?: number;
  readonly threads: number;
  readonly json: boolean;
}

/** A model whose weights can be opened in several number formats. */
export interface CheckedModel {
  readonly rules: LineRules;
  readonly layers: number;
  format(dtype: Dtype): Format;
}

/** What `--layers` asks for; null: left to the engine. */
export function layersAsked(asked: number | undefined, model: string, layers: number): number | null {
  if (asked === undefined) return null;
  if (asked <= layers) return asked;
  throw new EyrieError(
    'invalid_value',
    `--layers is ${asked}, must be from 1 to ${layers}, the layers of ${model}. Leave it out for as many as fit.`,
    { param: 'layers' },
  );
}

export function addSelfcheckCommand(
  program: Command,
  checkDevices: () => Promise<DeviceReport>,
  openChecked: (flags: SelfcheckFlags) => Promise<CheckedModel>,
): void {
  program
    .command('selfcheck')
    .description(
      'What this machine can compute with, and whether its cards compute rightly; or what 8-bit weights do to a model.',
    )
    .option('--quality <file>', 'compare two number formats of a model instead, on the prompts of a JSONL batch file')
    .option('--model <folder>', 'demo, or the folder of a Falcon checkpoint', 'demo')
    .addOption(dtypeOption('--dtype <type>', 'number format that is checked; fp8 needs a card').default('int8'))
    .addOption(dtypeOption('--against <type>', 'number format it is compared with').default('bfloat16'))
    .option('--lines <number>', 'most lines of the file that are taken', wholeNumber(1, 100_000), 256)
    .option(
      '--layers <number>',
      'layers of the model that are computed at a time (default: all, or as many as fit)',
      wholeNumber(1, 1024),
    )
    .addOption(new Option('--device <name>', 'where the model is computed').choices(devices).default('auto'))
    .option('--tensor-parallel <number>', 'cards that share the model', wholeNumber(1, tensorParallelMax), 1)
    .addOption(fp8KeepOption())
    .option('--slots <number>', 'sequences decoded together (default: what suits the device)', wholeNumber(1, 1024))
    .option('--threads <number>', 'compute threads', wholeNumber(1, 256), availableParallelism())
    .option('--json', 'one JSON document', false)
    .action(async (flags: SelfcheckFlags) => {
      const { quality } = flags;
      if (quality === undefined) {
        if (flags.layers !== undefined)
          throw new EyrieError('invalid_value', `--layers is ${flags.layers}, but it needs --quality <file>.`, {
            param: 'layers',
          });
        const { printDevices } = await import('./commands/selfcheck-devices.js');
        process.exitCode = printDevices(await checkDevices(), flags.json, flags.device === 'cuda');
        return;
      }
      checkFp8Keep(flags.fp8Keep, [flags.dtype, flags.against], '--dtype');
      const [{ runQualityCheck }, checked] = await Promise.all([
        import('./commands/selfcheck-quality.js'),
        openChecked(flags),
      ]);
      await runQualityCheck(
        {
          file: quality,
          linesMax: flags.lines,
          layers: layersAsked(flags.layers, checked.rules.model.id, checked.layers),
          json: flags.json,
          model: checked.rules.model.id,
          reference: flags.against,
          candidate: flags.dtype,
        },
        checked.rules,
        { reference: checked.format(flags.against), candidate: checked.format(flags.dtype) },
      );
    });
}
