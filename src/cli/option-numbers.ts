import { InvalidArgumentError } from 'commander';

/** Readers of numbers in options; commander names the option and the value in front of the text. */

export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`A whole number from ${min} to ${max} is required.`);
    return value;
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('A number above 0 is required.');
  return value;
}
