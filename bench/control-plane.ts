import { setTimeout as sleep } from 'node:timers/promises';
import { bounds } from '../src/domain/bounds.js';
import { LocalSystem } from './system/local-system.js';
import { RedisMemory } from './system/redis-memory.js';
import { requestChunks } from './system/request-lines.js';

export interface ControlPlaneOptions {
  readonly model: string;
  /** Lines of the largest step. */
  readonly lines: number;
}

interface Step {
  readonly lines: number;
  readonly batches: number;
  readonly seconds: number;
  readonly lines_per_s: number;
}

export interface ControlPlaneFigures {
  readonly steps: Readonly<Record<string, Step>>;
  /** Lines per second of the largest step; the goal is `lines_per_s_min`. */
  readonly lines_per_s: number;
  readonly lines_per_s_min: number;
  /** Rate of the largest step over that of the smallest: 1 = linear. */
  readonly linearity: number;
  /** Most data in Redis during the largest step, per million lines, with all batches submitted at once; the goal is `redis_mb_per_million_max`. */
  readonly redis_mb_per_million: number;
  readonly redis_mb_per_million_max: number;
  /** Baseline of this machine: one thread that parses the same lines and writes a result line for each, in memory. */
  readonly json_lines_per_s: number;
}

const lineShape = { promptChars: 60, maxTokens: 16 };
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** What one thread does that only parses each line and writes an answer of the same form, without any service. */
function jsonBaseline(content: Buffer): number {
  const lines = content.toString('utf8').trimEnd().split('\n');
  const started = performance.now();
  let bytes = 0;
  for (const line of lines) {
    const { custom_id, body } = JSON.parse(line) as { custom_id: string; body: { model: string } };
    const choices = [{ index: 0, text: ' null', logprobs: null, finish_reason: 'length' }];
    bytes += JSON.stringify({ id: '', custom_id, response: { status_code: 200, body: { ...body, choices } } }).length;
  }
  if (bytes === 0) throw new Error('The baseline wrote nothing.');
  return (lines.length / (performance.now() - started)) * 1000;
}

/** Submits all batches at once and waits for the last manifest. */
async function runStep(system: LocalSystem, fileId: string, batches: number, linesEach: number): Promise<Step> {
  const started = performance.now();
  const batchIds = [];
  for (let at = 0; at < batches; at++) batchIds.push(await system.submit(fileId));
  await Promise.all(batchIds.map((id) => system.reached(id, 'manifest')));
  const seconds = (performance.now() - started) / 1000;
  for (const id of batchIds) {
    const { request_counts: counts } = (await system.call('GET', `/v1/batches/${id}`)) as {
      request_counts?: { completed: number };
    };
    if (counts?.completed !== linesEach)
      throw new Error(`${id} completed ${String(counts?.completed)} of ${linesEach} lines.`);
  }
  const lines = batches * linesEach;
  return { lines, batches, seconds: rounded(seconds, 2), lines_per_s: Math.round(lines / seconds) };
}

/**
 * Everything but the engine: plan, queue, shards, parts, result files. A null engine answers each sequence at once, through the real
 * queue, store and processes. The clock runs from the first create to the last manifest.json; uploads are outside.
 */
export async function benchControlPlane({ model, lines }: ControlPlaneOptions): Promise<ControlPlaneFigures> {
  const linesEach = Math.min(bounds.batchLinesMax, lines);
  const system = await LocalSystem.start({ model, workerProgram: 'bench/system/null-worker.js' });
  try {
    const { modelId, redisUrl } = system.service;
    const file = Buffer.concat([...requestChunks({ lines: linesEach, model: modelId, ...lineShape, seed: 1 })]);
    const warmUp = Buffer.concat([...requestChunks({ lines: 5000, model: modelId, ...lineShape, seed: 2 })]);
    const once = async function* (content: Buffer): AsyncGenerator<Uint8Array> {
      yield content;
      await Promise.resolve();
    };
    await runStep(system, await system.upload(once(warmUp)), 1, 5000);
    const fileId = await system.upload(once(file));
    const most = Math.max(1, Math.floor(lines / linesEach));
    const steps: Record<string, Step> = {};
    let peakBytes = 0;
    for (const batches of new Set([Math.ceil(most / 5), most])) {
      const memory = await RedisMemory.watch(redisUrl);
      const step = await runStep(system, fileId, batches, linesEach);
      peakBytes = memory.peakBytes;
      await memory.close();
      steps[`${step.lines}_lines`] = step;
      process.stderr.write(`${step.lines} lines in ${step.batches} batches: ${step.lines_per_s} lines/s\n`);
      await sleep(500); // the janitor and the page cache settle, so that a step does not pay for the one before
    }
    const all = Object.values(steps);
    const [first, last] = [all[0], all.at(-1)];
    if (!first || !last) throw new Error('No step was run.');
    return {
      steps,
      lines_per_s: last.lines_per_s,
      lines_per_s_min: 20_000,
      linearity: rounded(last.lines_per_s / first.lines_per_s, 3),
      redis_mb_per_million: rounded(peakBytes / last.lines, 2),
      redis_mb_per_million_max: 40,
      json_lines_per_s: Math.round(jsonBaseline(file)),
    };
  } finally {
    await system.stop();
  }
}
