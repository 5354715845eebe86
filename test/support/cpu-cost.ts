import { expect } from 'vitest';

/** What any input may cost: so much a byte, and so much beside it. */
const nsPerByte = 60;
const freeMs = 5;
/** Tests run side by side on machines that others use: caches and memory are shared, and the same work takes up to so much more. */
const sharedMachine = 1.25;

/**
 * Runs `work` up to some times until its CPU time is within the bound for so many bytes: other processes and the collector add to
 * single runs. `prepare` makes the input of each run.
 */
export async function expectLinear<T extends { readonly bytes: number }>(
  what: string,
  prepare: () => T,
  work: (input: T) => unknown,
): Promise<void> {
  let least = Infinity;
  let allowed = 0;
  for (let run = 0; run < 8; run++) {
    const input = prepare();
    allowed = sharedMachine * (freeMs + (input.bytes * nsPerByte) / 1e6);
    const before = process.cpuUsage();
    await work(input);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
    if (least <= allowed) return;
  }
  expect(least, `CPU ms of ${what}`).toBeLessThanOrEqual(allowed);
}
