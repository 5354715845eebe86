import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import OpenAI from 'openai';
import { eventually } from './eventually.js';
import { projectRoot } from './project-imports.js';

export const cliPath = path.join(projectRoot, 'dist/src/cli/main.js');
export const tinyModel = path.join(projectRoot, 'test/golden/falcon-tiny/40b');

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the compiled `eyrie` command to its end. */
export async function runCli(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [cliPath, ...args], { env: environment, cwd: projectRoot });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Processes whose command line holds the text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Descendants of a process that are still alive, by what their command line holds. */
export function descendants(pid: number, text: string): number[] {
  const childrenOf = (parent: number): number[] => {
    try {
      return readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
        .trim()
        .split(/\s+/)
        .filter(Boolean)
        .map(Number);
    } catch {
      return [];
    }
  };
  const all: number[] = [];
  const walk = (parent: number): void => {
    for (const child of childrenOf(parent)) {
      all.push(child);
      walk(child);
    }
  };
  walk(pid);
  const matching = new Set(processesWith(text));
  return all.filter((child) => matching.has(child));
}

/** `eyrie dev` as a user starts it, in a data folder of its own. */
export class LocalMode {
  readonly #child: ChildProcess;
  readonly dataFolder: string;
  readonly url: string;
  readonly apiKey: string;
  readonly webhookSecret: string;
  readonly modelId: string;
  /** The commands of the banner. */
  readonly example: string;
  /** All that was printed so far, the programs' log included, without colours: CI may ask for them. */
  readonly printed: () => string;

  private constructor(child: ChildProcess, dataFolder: string, printed: () => string) {
    this.#child = child;
    this.printed = printed;
    const banner = printed();
    this.dataFolder = dataFolder;
    const field = (name: string): string => new RegExp(`^ +${name} +(\\S+)`, 'm').exec(banner)?.[1] ?? '';
    this.url = field('API');
    this.apiKey = field('key');
    this.webhookSecret = field('webhook secret');
    this.modelId = field('model');
    this.example = /^ {2}API=[^]*?(?=\n\n)/m.exec(banner)?.[0] ?? '';
  }

  /** `settings`: engine settings of the workers, as environment variables. */
  static async start(
    dataFolder: string,
    args: readonly string[] = [],
    settings: NodeJS.ProcessEnv = {},
  ): Promise<LocalMode> {
    const child = spawn(process.execPath, [cliPath, 'dev', '--data', dataFolder, '--model', tinyModel, ...args], {
      cwd: projectRoot,
      env: { ...process.env, EYRIE_THREADS: '1', ...settings },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    await eventually(
      'the banner of eyrie dev',
      () => {
        if (child.exitCode !== null) throw new Error(`eyrie dev ended with ${child.exitCode}: ${stderr}`);
        return stdout.includes('Ctrl-C stops everything');
      },
      30_000,
    );
    return new LocalMode(child, dataFolder, () => stripVTControlCharacters(stdout + stderr));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  client(): OpenAI {
    return new OpenAI({ baseURL: this.url, apiKey: this.apiKey, webhookSecret: this.webhookSecret, maxRetries: 5 });
  }

  /** Living processes of one of the programs. */
  programs(name: 'api' | 'control' | 'generate'): number[] {
    const entry = name === 'api' ? 'src/http/main.js' : `workers/${name}/main.js`;
    return descendants(this.pid, entry);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    this.#child.kill(signal);
    await once(this.#child, 'exit');
    return this.#child.exitCode;
  }
}

/** Result lines without what may differ between runs: ids and times. */
export function comparable(jsonl: string): string[] {
  return jsonl
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const record = JSON.parse(line) as {
        id: string;
        response: { request_id: string; body: { id?: string; created?: number } } | null;
      };
      expectId(record.id);
      const { id: _, response, ...rest } = record;
      if (!response) return JSON.stringify(rest);
      const { request_id: __, ...kept } = response;
      const { id: ___, created: ____, ...body } = response.body;
      return JSON.stringify({ ...rest, response: { ...kept, body } });
    });
}

function expectId(id: string): void {
  if (!/^batch_req_[a-z0-9]+$/.test(id)) throw new Error(`'${id}' is no line id`);
}
