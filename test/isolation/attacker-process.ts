import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Target } from './attacks/attack.js';

const hook = fileURLToPath(new URL('../support/typescript-hook.mjs', import.meta.url));
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const prepareMs = 120_000;
const endMs = 8000;

/** What an attack did, by what its requests came to. */
export interface Tally {
  readonly counts: Readonly<Record<string, number>>;
  /** Limits that did not hold, in words. */
  readonly violations: readonly string[];
}

/** One attack in a process of its own. Processes of attackers have the lowest priority: what they compute themselves costs nobody else. */
export class AttackerProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  #tally: Tally = { counts: {}, violations: [] };
  #errors = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on('data', (chunk) => (this.#errors = (this.#errors + String(chunk)).slice(-2000)));
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    this.#lines.on('line', (text) => {
      if (text.startsWith('{')) this.#tally = JSON.parse(text) as Tally;
    });
  }

  /** Starts it and waits until it has prepared what it needs. It does nothing before `attack`. */
  static async start(attack: string, target: Target): Promise<AttackerProcess> {
    const child = spawn(process.execPath, ['--import', hook, script('./attacker.ts'), attack, JSON.stringify(target)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const attacker = new AttackerProcess(child);
    try {
      await new Promise<void>((resolve, reject) => {
        attacker.#lines.on('line', (text) => {
          if (text === 'ready') resolve();
        });
        child.once('error', reject);
        child.once('exit', () => reject(new Error(`The attacker ended before it began: ${attacker.#errors}`)));
        setTimeout(() => reject(new Error('The attacker was not ready in time.')), prepareMs).unref();
      });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return attacker;
  }

  attack(): void {
    this.#child.stdin?.write('go\n');
  }

  /** Ends it; gives what it did. */
  async stop(): Promise<Tally> {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.stdin?.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), endMs);
      await exited;
      clearTimeout(timer);
    }
    const { violations } = this.#tally;
    const broken = child.exitCode === 0 ? [] : [`the attacker itself failed: ${this.#errors || child.signalCode}`];
    return { ...this.#tally, violations: [...violations, ...broken] };
  }
}

/** Load of the lowest priority on each core, as an attacker makes it; the function ends it. */
export async function burn(cores: number): Promise<() => Promise<void>> {
  const children = Array.from({ length: cores }, () =>
    spawn(process.execPath, [script('./burner.mjs')], { stdio: ['pipe', 'ignore', 'inherit'] }),
  );
  await Promise.all(children.map((child) => once(child, 'spawn')));
  return async () => {
    const exits = children
      .filter((child) => child.exitCode === null && child.signalCode === null)
      .map((child) => once(child, 'exit'));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(exits);
  };
}
