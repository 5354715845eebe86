import { createReadStream } from 'node:fs';
import { setMaxListeners } from 'node:events';
import { runOffline } from '../../app/run-offline.js';
import type { LineRunner } from '../../app/line/run-line.js';
import { EyrieError } from '../../domain/errors.js';
import type { Engine } from '../../ports/engine.js';
import { note, ProgressLine } from '../output.js';
import { printable } from '../printable.js';
import { fromFileError, ResultFile } from '../result-file.js';

export interface RunBatchOptions {
  readonly input: string;
  readonly output: string;
  readonly failOnError: boolean;
}

export interface OfflineEngine extends LineRunner {
  readonly engine: Engine & { close(): Promise<void> };
}

async function* readInput(file: string): AsyncGenerator<Uint8Array> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fromFileError(error, file, 'read');
  }
}

/**
 * Lines of the input, for the progress line; 0 when they cannot be counted beforehand. No text has a zero byte: a file that does
 * is something else, and is refused before a model is loaded.
 */
async function countLines(file: string): Promise<number> {
  if (file === '-') return 0;
  let lines = 0;
  for await (const chunk of readInput(file)) {
    if (chunk.includes(0))
      throw new EyrieError(
        'invalid_value',
        `${file} is not a JSONL file: it holds bytes that no text has. Give a file with one JSON object in each line.`,
      );
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
  }
  return lines;
}

interface Tally {
  lines: number;
  failed: number;
  tokens: number;
  /** The first failed line's record. */
  firstFailure: string | null;
}

/** When nothing came out, the first reason is likely the reason of all. */
function allFailed({ firstFailure, lines }: Tally): string {
  const record = JSON.parse(firstFailure ?? '{}') as {
    response?: { body: { error: { code: string; message: string } } };
  };
  const { code = 'unknown', message = '' } = record.response?.body.error ?? {};
  return `All ${lines.toLocaleString('en')} lines failed. The first: ${printable(`${code}: ${message}`)}`;
}

function summary({ lines, failed, tokens }: Tally, seconds: number): string {
  const rate = seconds > 0 ? Math.round(tokens / seconds) : 0;
  return `${lines.toLocaleString('en')} lines  ${failed} failed  ${tokens.toLocaleString('en')} tokens  ${rate.toLocaleString('en')} tok/s`;
}

/**
 * `eyrie run-batch`: a batch file through the engine, without queue or server. `open` loads the model after input and output were
 * opened, so that a misspelt file name costs no time. Returns the exit code.
 */
export async function runBatch(options: RunBatchOptions, open: () => Promise<OfflineEngine>): Promise<number> {
  const total = await countLines(options.input);
  const result = await ResultFile.open(options.output, options.input);
  let runner: OfflineEngine;
  try {
    runner = await open();
  } catch (error) {
    await result.abandon();
    throw error;
  }
  const progress = new ProgressLine();
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const onInterrupt = (): void =>
    stop.abort(new EyrieError('service_unavailable', 'Interrupted; no results were written.'));
  process.once('SIGINT', onInterrupt);
  const started = performance.now();
  const tally: Tally = { lines: 0, failed: 0, tokens: 0, firstFailure: null };
  try {
    for await (const record of runOffline(runner, readInput(options.input), stop.signal)) {
      await result.write(`${record.json}\n`);
      tally.lines++;
      tally.tokens += record.inputTokens + record.outputTokens;
      if (!record.ok) {
        tally.failed++;
        tally.firstFailure ??= record.json;
      }
      const seconds = (performance.now() - started) / 1000;
      const part = total > 0 ? Math.min(1, tally.lines / total) : 0;
      const percent = total > 0 ? `${Math.floor(part * 100)} %  ` : '';
      progress.update(part, percent + summary(tally, seconds));
    }
    await result.finish();
  } catch (error) {
    await result.abandon();
    throw error;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
    progress.end();
    await runner.engine.close();
  }
  note(summary(tally, (performance.now() - started) / 1000) + (options.output === '-' ? '' : `  →  ${options.output}`));
  if (tally.lines === 0) note(`${options.input} holds no requests.`);
  else if (tally.failed === tally.lines) note(allFailed(tally));
  return options.failOnError && tally.failed > 0 ? 3 : 0;
}
