import { availableParallelism } from 'node:os';
import { setMaxListeners } from 'node:events';
import { toLineRequest } from '../src/app/line/line-request.js';
import { readLine } from '../src/app/line/read-line.js';
import { runSequences } from '../src/app/line/run-sequences.js';
import { openEngine } from '../src/compose/open-engine.js';
import { openModel } from '../src/compose/open-model.js';
import { modelDirectoryOf } from '../src/cli/dev/local-service.js';
import { LocalSystem } from './system/local-system.js';
import { requestChunks } from './system/request-lines.js';

export interface ServiceOptions {
  readonly model: string;
  readonly lines: number;
  readonly maxTokens: number;
  readonly rounds: number;
}

export interface ServiceFigures {
  readonly lines: number;
  readonly rounds: number;
  /** Best of the rounds: all lines given to the engine at once, in one process without anything else. The baseline. */
  readonly engine_s: number;
  /** Best of the rounds: from the batch's creation to its manifest, with a worker that holds the model. */
  readonly service_s: number;
  readonly output_tokens: number;
  /** service_s ÷ engine_s; the goal is `ratio_max`. */
  readonly ratio: number;
  readonly ratio_max: number;
  readonly engine_rounds_s: readonly number[];
  readonly service_rounds_s: readonly number[];
  /** Of each round of the service: seconds in which no shard was under way, that is before the first and after the last one. */
  readonly outside_shards_rounds_s: readonly number[];
}

const engineDefaults = { device: 'cpu', slots: 32, prefillTokens: 512, dtype: 'bfloat16', isa: 'auto' } as const;
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Times all lines through an engine of its own; the lines are read and tokenized before the clock starts. */
async function engineAlone(directory: string, file: Buffer): Promise<{ seconds: number; outputTokens: number }> {
  const model = await openModel(directory, null);
  const engine = await openEngine(model, { ...engineDefaults, threads: availableParallelism() });
  const rules = { model: model.served, tokenizer: model.tokenizer, grammars: model.grammars };
  const requests = [];
  for (const line of file.toString('utf8').trimEnd().split('\n'))
    requests.push(await toLineRequest(readLine(Buffer.from(line), '/v1/completions', model.served), rules));
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  // One line first: the engine allocates and pins on its first step.
  await Promise.all(requests.slice(0, 1).map((request) => runSequences(request, engine, signal)));
  const started = performance.now();
  const results = await Promise.all(requests.map((request) => runSequences(request, engine, signal)));
  const seconds = (performance.now() - started) / 1000;
  await engine.close();
  return { seconds, outputTokens: results.flat().reduce((sum, { generatedTokens }) => sum + generatedTokens, 0) };
}

interface BatchRun {
  readonly seconds: number;
  readonly outsideShards: number;
  readonly outputTokens: number;
}

async function runBatch(system: LocalSystem, fileId: string): Promise<BatchRun> {
  const started = performance.now();
  const batchId = await system.submit(fileId);
  await system.reached(batchId, 'manifest');
  const seconds = (performance.now() - started) / 1000;
  const batch = (await system.call('GET', `/v1/batches/${batchId}`)) as {
    status?: string;
    request_counts?: { failed: number };
    usage?: { output_tokens: number } | null;
  };
  if (batch.status !== 'completed' || batch.request_counts?.failed !== 0)
    throw new Error(`${batchId} is ${String(batch.status)} with ${String(batch.request_counts?.failed)} failed lines.`);
  const { generatingMs } = await system.manifest(batchId);
  return { seconds, outsideShards: seconds - generatingMs / 1000, outputTokens: batch.usage?.output_tokens ?? 0 };
}

async function* once(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content;
  await Promise.resolve();
}

/**
 * What the service adds to the engine's own time. Both compute the same lines with the same settings, in turn: never at the same
 * time, since both use all cores.
 */
export async function benchService({ model, lines, maxTokens, rounds }: ServiceOptions): Promise<ServiceFigures> {
  const directory = modelDirectoryOf(model);
  const system = await LocalSystem.start({ model });
  try {
    const { modelId } = system.service;
    const make = (count: number, seed: number): Buffer =>
      Buffer.concat([
        ...requestChunks({ lines: count, model: modelId, promptChars: 200, maxTokens, seed, ignoreEos: true }),
      ]);
    const file = make(lines, 1);
    const fileId = await system.upload(once(file));
    // After start: the worker has the model in memory.
    await runBatch(system, await system.upload(once(make(64, 2))));
    const alone: number[] = [];
    const whole: number[] = [];
    const outside: number[] = [];
    let outputTokens = 0;
    for (let round = 0; round < rounds; round++) {
      const engine = await engineAlone(directory, file);
      const service = await runBatch(system, fileId);
      if (engine.outputTokens !== service.outputTokens)
        throw new Error(`The engine gave ${engine.outputTokens} tokens, the service ${service.outputTokens}.`);
      ({ outputTokens } = engine);
      alone.push(rounded(engine.seconds, 3));
      whole.push(rounded(service.seconds, 3));
      outside.push(rounded(service.outsideShards, 3));
    }
    const [engineSeconds, serviceSeconds] = [Math.min(...alone), Math.min(...whole)];
    return {
      lines,
      rounds,
      engine_s: engineSeconds,
      service_s: serviceSeconds,
      output_tokens: outputTokens,
      ratio: rounded(serviceSeconds / engineSeconds, 4),
      ratio_max: 1.03,
      engine_rounds_s: alone,
      service_rounds_s: whole,
      outside_shards_rounds_s: outside,
    };
  } finally {
    await system.stop();
  }
}
