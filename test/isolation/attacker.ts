// attacker.ts ATTACK TARGET: prepares, prints `ready`, attacks at the line `go`, and ends with its standard input.
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { Attacker, type Target } from './attacks/attack.js';
import { attacks } from './attacks/index.js';

setPriority(19);
const [name, text = ''] = process.argv.slice(2);
const attack = attacks.find((known) => known.name === name);
if (!attack) throw new Error(`There is no attack '${name}'.`);
const attacker = new Attacker(JSON.parse(text) as Target);
const stopping = new AbortController();

const lines = createInterface({ input: process.stdin });
lines.once('close', () => stopping.abort());
const go = new Promise<boolean>((resolve) => {
  lines.once('line', () => resolve(true));
  lines.once('close', () => resolve(false));
});
const step = await attack.prepare(attacker, stopping.signal);
process.stdout.write('ready\n');
const aborted = new Promise<void>((resolve) => {
  stopping.signal.addEventListener('abort', () => resolve());
});
if (await go) {
  // What goes wrong once the attack is called off is the attack's end.
  const run = step().catch((error: unknown) => {
    if (!stopping.signal.aborted) attacker.violate(`the attack failed: ${String(error)}`);
  });
  await Promise.race([run.then(() => aborted), aborted]);
  await Promise.race([attack.after?.(attacker), new Promise((resolve) => setTimeout(resolve, 5000))]);
}
process.stdout.write(`${JSON.stringify(attacker.tally())}\n`, () => process.exit(0));
