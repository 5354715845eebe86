import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { int8Goal, peerGoal, type Goal } from './goals.js';

export interface PeersOptions {
  readonly model: string;
  readonly workload: string;
  readonly threads: number;
  readonly slots: number;
  readonly dtype: string;
  readonly rounds: number;
  /** Our engine with 8-bit weights, too. */
  readonly int8: boolean;
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
  /** The best of our engine with `--dtype` over this one's best. */
  readonly ratio: number | null;
  readonly goal: Goal | null;
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

const isPeer = (name: string): boolean => known.some((peer) => peer === name);

/** Runs one engine over the workload once; gives what it prints. */
function runEngine(name: string, options: PeersOptions): Promise<Record<string, unknown>> {
  const common = ['--threads', String(options.threads), '--slots', String(options.slots)];
  if (!isPeer(name)) {
    const main = path.join(import.meta.dirname, 'main.js');
    const dtype = name === 'eyrie' ? options.dtype : 'int8';
    const source = ['--model', options.model, '--workload', options.workload, '--dtype', dtype];
    return lastJson(process.execPath, [main, 'offline', ...source, ...common, '--json'], process.env);
  }
  const model = toMap(options.peerModel).get(name) ?? options.model;
  const preload = toMap(options.preload).get(name);
  return lastJson(
    toMap(options.peer).get(name) ?? '',
    [options.driver, name, model, options.workload, ...common, '--dtype', options.dtype],
    { ...process.env, ...(preload === undefined ? {} : { LD_PRELOAD: preload }) },
  );
}

/** Why a peer cannot run, or null. */
function findObstacle(name: string, options: PeersOptions): string | null {
  if (!existsSync(options.driver)) return `the driver ${options.driver} is missing`;
  return toMap(options.peer).has(name) ? null : `not installed (give --peer ${name}=PYTHON)`;
}

/**
 * Our engine and every installed peer over the same workload, in turn, so that a busy neighbour disturbs all alike. `tell` hears
 * each figure as it comes: a round takes minutes.
 */
export async function benchPeers(options: PeersOptions, tell: (progress: string) => void): Promise<PeerRow[]> {
  const names = ['eyrie', ...(options.int8 ? ['eyrie-int8'] : []), ...known];
  const rows = names.map((peer) => ({
    peer,
    rates: [] as number[],
    note: isPeer(peer) ? findObstacle(peer, options) : null,
  }));
  let isa = '';
  for (let round = 1; round <= options.rounds; round++)
    for (const row of rows) {
      if (row.note !== null) continue;
      try {
        const figures = await runEngine(row.peer, options);
        const rate = Number(figures['useful_tokens_per_s']);
        row.rates.push(rate);
        if (typeof figures['isa'] === 'string') isa = figures['isa'];
        tell(`round ${round} of ${options.rounds}: ${row.peer} ${rate} useful tokens/s`);
      } catch (error) {
        row.note = (error as Error).message;
      }
    }
  const best = (rates: readonly number[]): number => Math.max(0, ...rates);
  const oursBest = best(rows[0]?.rates ?? []);
  const peersBest = best(rows.filter(({ peer }) => isPeer(peer)).flatMap(({ rates }) => rates));
  const toGoal = (peer: string, rate: number): Goal | null => {
    if (isPeer(peer)) return peerGoal(isa, oursBest / rate);
    return peer === 'eyrie-int8' && peersBest > 0 ? int8Goal(rate / peersBest) : null;
  };
  return rows.map(({ peer, rates, note }) => ({
    peer,
    useful_tokens_per_s: rates,
    best: best(rates),
    ratio: best(rates) > 0 ? Number((oursBest / best(rates)).toFixed(3)) : null,
    goal: best(rates) > 0 ? toGoal(peer, best(rates)) : null,
    note,
  }));
}
