import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { once, setMaxListeners } from 'node:events';
import type { Writable } from 'node:stream';
import { runOffline } from '../../app/run-offline.js';
import type { LineRunner } from '../../app/line/run-line.js';
import { EyrieError } from '../../domain/errors.js';
import type { Engine } from '../../ports/engine.js';
import { note, ProgressLine } from '../output.js';

export interface RunBatchOptions {
  readonly input: string;
  readonly output: string;
  readonly failOnError: boolean;
}

export interface OfflineEngine extends LineRunner {
  readonly engine: Engine & { close(): Promise<void> };
}

function fromFileError(error: unknown, file: string, what: string): EyrieError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC')
    return new EyrieError(
      'disk_full',
      `${file} could not be ${what}: the disk is full. Free some space and run again.`,
      { cause: error },
    );
  if (code === 'ENOENT')
    return new EyrieError('not_found', `${file} could not be ${what}: there is no such file or folder.`, {
      cause: error,
    });
  return new EyrieError('invalid_value', `${file} could not be ${what}: ${message}.`, { cause: error });
}

async function* readInput(file: string): AsyncGenerator<Uint8Array> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw fromFileError(error, file, 'read');
  }
}

/** Results go to `FILE.partial` first: FILE is whole or absent. */
class ResultFile {
  readonly #file: string;
  readonly #partial: string;
  readonly #stream: Writable;
  #failure: Error | null = null;

  constructor(file: string) {
    this.#file = file;
    this.#partial = `${file}.partial`;
    this.#stream = file === '-' ? process.stdout : createWriteStream(this.#partial);
    this.#stream.on('error', (error) => (this.#failure ??= error));
  }

  async write(line: string): Promise<void> {
    this.#check();
    if (!this.#stream.write(line))
      await Promise.race([once(this.#stream, 'drain'), once(this.#stream, 'error')]).catch(() => undefined);
    this.#check();
  }

  async finish(): Promise<void> {
    if (this.#file === '-') return;
    await new Promise<void>((resolve) => this.#stream.end(() => resolve()));
    this.#check();
    await rename(this.#partial, this.#file);
  }

  async abandon(): Promise<void> {
    if (this.#file === '-') return;
    this.#stream.destroy();
    await rm(this.#partial, { force: true });
  }

  #check(): void {
    if (this.#failure) throw fromFileError(this.#failure, this.#file, 'written');
  }
}

/** Lines of the input, for the progress line; 0 when they cannot be counted beforehand. */
async function countLines(file: string): Promise<number> {
  if (file === '-') return 0;
  let lines = 0;
  for await (const chunk of readInput(file))
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
  return lines;
}

interface Tally {
  lines: number;
  failed: number;
  tokens: number;
}

function summary({ lines, failed, tokens }: Tally, seconds: number): string {
  const rate = seconds > 0 ? Math.round(tokens / seconds) : 0;
  return `${lines.toLocaleString('en')} lines  ${failed} failed  ${tokens.toLocaleString('en')} tokens  ${rate.toLocaleString('en')} tok/s`;
}

/**
 * `eyrie run-batch`: a batch file through the engine, without queue or server. `open` loads the model after the input was found,
 * so that a misspelt file name costs no time. Returns the exit code.
 */
export async function runBatch(options: RunBatchOptions, open: () => Promise<OfflineEngine>): Promise<number> {
  const total = await countLines(options.input);
  const runner = await open();
  const result = new ResultFile(options.output);
  const progress = new ProgressLine();
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const onInterrupt = (): void =>
    stop.abort(new EyrieError('service_unavailable', 'Interrupted; no results were written.'));
  process.once('SIGINT', onInterrupt);
  const started = performance.now();
  const tally: Tally = { lines: 0, failed: 0, tokens: 0 };
  try {
    for await (const record of runOffline(runner, readInput(options.input), stop.signal)) {
      await result.write(`${record.json}\n`);
      tally.lines++;
      tally.tokens += record.inputTokens + record.outputTokens;
      if (!record.ok) tally.failed++;
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
  return options.failOnError && tally.failed > 0 ? 3 : 0;
}
