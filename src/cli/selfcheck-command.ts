import { availableParallelism } from 'node:os';
import { Option, type Command } from 'commander';
import type { LineRules } from '../app/line/line-request.js';
import {
  checkFp8Keep,
  devices,
  tensorParallelMax,
  type DeviceChoice,
  type Dtype,
  type Fp8Keep,
} from '../domain/engine-choices.js';
import type { Engine } from '../ports/engine.js';
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
  open(dtype: Dtype): Promise<Engine>;
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
    .addOption(new Option('--device <name>', 'where the model is computed').choices(devices).default('auto'))
    .option('--tensor-parallel <number>', 'cards that share the model', wholeNumber(1, tensorParallelMax), 1)
    .addOption(fp8KeepOption())
    .option('--slots <number>', 'sequences decoded together (default: what suits the device)', wholeNumber(1, 1024))
    .option('--threads <number>', 'compute threads', wholeNumber(1, 256), availableParallelism())
    .option('--json', 'one JSON document', false)
    .action(async (flags: SelfcheckFlags) => {
      const { quality } = flags;
      if (quality === undefined) {
        const { printDevices } = await import('./commands/selfcheck-devices.js');
        process.exitCode = printDevices(await checkDevices(), flags.json);
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
          json: flags.json,
          model: checked.rules.model.id,
          reference: flags.against,
          candidate: flags.dtype,
        },
        checked.rules,
        (which) => checked.open(which === 'reference' ? flags.against : flags.dtype),
      );
    });
}
