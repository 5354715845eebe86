import { Option } from 'commander';
import { dtypes, withFullDtypeName, type Dtype } from '../domain/engine-choices.js';

/** An option whose value is a number format; `bf16` and `fp32` are taken as well. */
export function dtypeOption(flags: string, description: string, choices: readonly Dtype[] = dtypes): Option {
  const option = new Option(flags, description).choices(choices);
  const chosen = option.parseArg;
  return option.argParser((text, previous: unknown) => chosen?.(withFullDtypeName(text), previous));
}
