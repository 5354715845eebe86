import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

export interface PeersOptions {
  readonly model: string;
  readonly workload: string;
  readonly threads: number;
  readonly slots: number;
  readonly dtype: string;
  readonly rounds: number;
  /** Script that runs one peer over a workload and prints one JSON line: `DRIVER PEER MODEL WORKLOAD --threads --slots --dtype`. */
  readonly driver: string;
  /** `NAME=PYTHON`: the interpreter that has the peer installed. */
  readonly peer: readonly string[];
  /** `NAME=PATH`: a converted form of the model, for peers that cannot read the checkpoint folder. */
  readonly peerModel: readonly string[];
  /** `NAME=LIBRARIES`: LD_PRELOAD for a peer that is faster with another allocator. */
  readonly preload: readonly string[];
}

export interface PeerRow {
  readonly peer: string;
  /** Useful tokens per second of each round; empty when it did not run. */
  readonly useful_tokens_per_s: readonly number[];
  readonly best: number;
  /** Ours, best, over this one's best. */
  readonly ratio: number | null;
  readonly note: string | null;
}

const known = ['vllm', 'hf', 'llamacpp', 'ct2'] as const;

const toMap = (pairs: readonly string[]): ReadonlyMap<string, string> =>
  new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));

/** Runs a command and reads the figures it prints: the last JSON line of its standard output. Some peers log after it. */
function lastJson(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr = (stderr + String(chunk)).slice(-2000)));
    child.once('error', reject);
    child.once('close', (code) => {
      const line = stdout.split('\n').findLast((text) => text.startsWith('{'));
      try {
        if (code !== 0 || !line) throw new Error(`exit ${code}`);
        resolve(JSON.parse(line) as Record<string, unknown>);
      } catch {
        reject(new Error(`ended with ${code}: ${stderr.trim().split('\n').at(-1) ?? ''}`));
      }
    });
  });
}

/** Our engine and every installed peer over the same workload, in turn, so that a busy neighbour disturbs all alike. */
export async function benchPeers(options: PeersOptions): Promise<PeerRow[]> {
  const pythons = toMap(options.peer);
  const models = toMap(options.peerModel);
  const preloads = toMap(options.preload);
  const common = ['--threads', String(options.threads), '--slots', String(options.slots), '--dtype', options.dtype];
  const missing = new Map<string, string>();
  if (!existsSync(options.driver))
    for (const name of known) missing.set(name, `the driver ${options.driver} is missing`);
  for (const name of known)
    if (!pythons.has(name) && !missing.has(name)) missing.set(name, `not installed (give --peer ${name}=PYTHON)`);
  const rates = new Map<string, number[]>([
    ['eyrie', []],
    ...known.filter((name) => !missing.has(name)).map((name) => [name, []] as [string, number[]]),
  ]);
  for (let round = 0; round < options.rounds; round++)
    for (const [name, found] of rates) {
      if (missing.has(name)) continue;
      try {
        const figures =
          name === 'eyrie'
            ? await lastJson(
                process.execPath,
                [
                  path.join(import.meta.dirname, 'main.js'),
                  'offline',
                  '--model',
                  options.model,
                  '--workload',
                  options.workload,
                  ...common,
                  '--json',
                ],
                process.env,
              )
            : await lastJson(
                pythons.get(name) ?? '',
                [options.driver, name, models.get(name) ?? options.model, options.workload, ...common],
                { ...process.env, ...(preloads.has(name) ? { LD_PRELOAD: preloads.get(name) } : {}) },
              );
        found.push(Number(figures['useful_tokens_per_s']));
      } catch (error) {
        missing.set(name, (error as Error).message);
      }
    }
  const best = (name: string): number => Math.max(0, ...(rates.get(name) ?? []));
  return ['eyrie', ...known].map((name) => ({
    peer: name,
    useful_tokens_per_s: rates.get(name) ?? [],
    best: best(name),
    ratio: best(name) > 0 ? Number((best('eyrie') / best(name)).toFixed(3)) : null,
    note: missing.get(name) ?? null,
  }));
}
