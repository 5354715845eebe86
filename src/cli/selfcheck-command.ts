import { availableParallelism } from 'node:os';
import { Option, type Command } from 'commander';
import { dtypes, type Dtype } from '../domain/engine-choices.js';
import { wholeNumber } from './option-numbers.js';

const cpuDtypes = dtypes.filter((dtype) => dtype !== 'fp8');

interface SelfcheckFlags {
  readonly model: string;
  readonly quality: string;
  readonly dtype: Dtype;
  readonly against: Dtype;
  readonly lines: number;
  readonly slots: number;
  readonly threads: number;
  readonly json: boolean;
}

export function addSelfcheckCommand(program: Command): void {
  program
    .command('selfcheck')
    .description('What 8-bit weights do to the answers of a model: the same texts scored with both number formats.')
    .requiredOption('--quality <file>', 'JSONL batch file whose prompts are answered and scored')
    .option('--model <folder>', 'demo, or the folder of a Falcon checkpoint', 'demo')
    .addOption(new Option('--dtype <type>', 'number format that is checked').choices(cpuDtypes).default('int8'))
    .addOption(
      new Option('--against <type>', 'number format it is compared with').choices(cpuDtypes).default('bfloat16'),
    )
    .option('--lines <number>', 'most lines of the file that are taken', wholeNumber(1, 100_000), 256)
    .option('--slots <number>', 'sequences decoded together', wholeNumber(1, 1024), 32)
    .option('--threads <number>', 'compute threads', wholeNumber(1, 256), availableParallelism())
    .option('--json', 'one JSON document', false)
    .action(async (flags: SelfcheckFlags) => {
      const [{ openModel }, { openEngine }, { runQualityCheck }, { modelDirectoryOf }] = await Promise.all([
        import('../compose/open-model.js'),
        import('../compose/open-engine.js'),
        import('./commands/selfcheck-quality.js'),
        import('./dev/local-service.js'),
      ]);
      const model = await openModel(modelDirectoryOf(flags.model), null);
      // One's own folder may be called by the name it was given on the command line, too.
      const served = { ...model.served, aliases: [...new Set([...model.served.aliases, flags.model])] };
      await runQualityCheck(
        {
          file: flags.quality,
          linesMax: flags.lines,
          json: flags.json,
          model: served.id,
          reference: flags.against,
          candidate: flags.dtype,
        },
        { model: served, tokenizer: model.tokenizer, grammars: model.grammars },
        (which) =>
          openEngine(model, {
            device: 'cpu',
            dtype: which === 'reference' ? flags.against : flags.dtype,
            isa: 'auto',
            threads: flags.threads,
            slots: flags.slots,
            prefillTokens: 512,
          }),
      );
    });
}
