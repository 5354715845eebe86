import { InvalidArgumentError, Option } from 'commander';
import { fp8KeepAllowed, readFp8Keep, type Fp8Keep } from '../domain/engine-choices.js';

/** `--fp8-keep dense,down` of the commands that choose a number format. */
export const fp8KeepOption = (): Option =>
  new Option('--fp8-keep <names>', 'with fp8, products of the layers that stay bfloat16: dense, down or dense,down')
    .argParser((text): readonly Fp8Keep[] => {
      const kept = readFp8Keep(text);
      if (kept === null) throw new InvalidArgumentError(`${fp8KeepAllowed}.`);
      return kept;
    })
    .default([], 'none');
