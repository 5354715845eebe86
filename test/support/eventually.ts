import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the condition holds, looking every few ms; fails with `what` after `ms`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 20_000,
): Promise<void> {
  for (const end = Date.now() + ms; !(await condition()); await sleep(10))
    if (Date.now() > end) throw new Error(`Not within ${ms} ms: ${what}`);
}
