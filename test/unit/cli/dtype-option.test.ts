import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { dtypeOption } from '../../../src/cli/dtype-option.js';
import { generateSettings } from '../../../src/config/settings.js';

const parsed = (...args: string[]): unknown =>
  new Command()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addOption(dtypeOption('--dtype <type>', 'number format', ['bfloat16', 'fp8']).default('fp8'))
    .parse(args, { from: 'user' })
    .opts()['dtype'];

describe('a number format', () => {
  it('is taken by its short name as well', () => {
    expect(parsed('--dtype', 'bf16')).toBe('bfloat16');
    expect(parsed('--dtype', 'bfloat16')).toBe('bfloat16');
    expect(parsed()).toBe('fp8');
  });

  it('is taken by its short name from the environment', () => {
    const { EYRIE_DTYPE: dtype } = generateSettings.shape;
    expect(dtype.parse('fp32')).toBe('float32');
    expect(dtype.parse(undefined)).toBe('bfloat16');
    expect(dtype.safeParse('half').error?.issues[0]?.message).toContain(
      '"float32", "bfloat16", "int8" or "fp8" is allowed',
    );
  });

  it('is refused with what is allowed', () => {
    expect(() => parsed('--dtype', 'fp32')).toThrow(/'--dtype <type>'.*Allowed choices are bfloat16, fp8/);
    expect(() => parsed('--dtype', 'half')).toThrow(/argument 'half' is invalid/);
  });
});
