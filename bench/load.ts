import { open } from 'node:fs/promises';
import path from 'node:path';
import { inspectCheckpoint } from '../src/adapters/engine-native/inspect-checkpoint.js';
import { loadAddon } from '../src/adapters/engine-native/load-addon.js';
import type { NativeDtype, NativeIsa } from '../src/adapters/engine-native/native-types.js';
import { openEngine } from '../src/compose/open-engine.js';
import { openModel } from '../src/compose/open-model.js';

export interface LoadOptions {
  readonly model: string;
  readonly threads: number;
  readonly dtype: NativeDtype;
  readonly isa: NativeIsa;
  readonly rounds: number;
}

export interface LoadFigures {
  readonly dtype: string;
  readonly isa: string;
  readonly threads: number;
  readonly rounds: number;
  readonly file_bytes: number;
  readonly packed_bytes: number;
  /** The quickest load, and its rate over the bytes of the files. */
  readonly load_s: number;
  readonly load_gb_per_s: number;
  /** Most resident memory up to the end of the first load, Node and one small KV slot included. */
  readonly peak_rss_mib: number;
  readonly peak_over_packed_mib: number;
  /** The same files read by one thread into one buffer, from the page cache. */
  readonly read_s: number;
  readonly read_gb_per_s: number;
  /** File bytes read and packed bytes written at the read bandwidth of the machine. */
  readonly pack_s: number;
  readonly read_bandwidth_gb_per_s: number;
  /** What both together allow, and which part of it the load reached. */
  readonly allowed_s: number;
  readonly share: number;
  /** The kernel clears memory before a process may use it: the packed bytes at the rate at which it does, and the share with that. */
  readonly clear_s: number;
  readonly share_with_clearing: number;
}

const bufferBytes = 32 * 2 ** 20;

/** Seconds to read files from their beginning to their end into one buffer. */
async function readSeconds(files: readonly string[]): Promise<number> {
  const buffer = Buffer.alloc(bufferBytes);
  const started = performance.now();
  for (const file of files) {
    const handle = await open(file, 'r');
    let at = 0;
    for (let read = -1; read !== 0; at += read) read = (await handle.read(buffer, 0, bufferBytes, at)).bytesRead;
    await handle.close();
  }
  return (performance.now() - started) / 1000;
}

/** The best of some rounds: the machine may be shared. */
async function best(rounds: number, measure: () => Promise<number>): Promise<number> {
  let seconds = Infinity;
  for (let round = 0; round < rounds; round++) seconds = Math.min(seconds, await measure());
  return seconds;
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

/**
 * Loading a checkpoint from a warm page cache. Baseline: its files read by one thread and packed at the machine's bandwidth by all.
 * Reading takes one core its time and packing takes all of them theirs, so that together they take at least `read / threads + pack`,
 * and never less than either alone.
 */
export async function benchLoad(options: LoadOptions): Promise<LoadFigures> {
  const { threads, dtype, isa, rounds } = options;
  const model = await openModel(options.model, null);
  const { directory, shape } = model.folder;
  const checkpoint = await inspectCheckpoint(directory, shape);
  const files = checkpoint.files.map(({ name }) => path.join(directory, name));
  const fileBytes = checkpoint.files.reduce((sum, { bytes }) => sum + bytes, 0);
  await readSeconds(files);

  const loaded = { packedBytes: 0, isa: '', peakBytes: 0 };
  const loadS = await best(rounds, async () => {
    const started = performance.now();
    const engine = await openEngine(model, { device: 'cpu', threads, slots: 1, prefillTokens: 16, dtype, isa });
    const seconds = (performance.now() - started) / 1000;
    loaded.packedBytes = engine.info.weightBytes;
    loaded.isa = engine.info.kind;
    loaded.peakBytes ||= process.resourceUsage().maxRSS * 1024;
    await engine.close();
    return seconds;
  });
  const readS = await best(rounds, () => readSeconds(files));
  const limits = await loadAddon().measureLimits(threads);
  const packS = (fileBytes + loaded.packedBytes) / (limits.readGigabytesPerSecond * 1e9);
  const allowedS = Math.max(readS / threads + packS, readS);
  const clearS = loaded.packedBytes / (limits.freshGigabytesPerSecond * 1e9);
  return {
    dtype,
    isa: loaded.isa,
    threads,
    rounds,
    file_bytes: fileBytes,
    packed_bytes: loaded.packedBytes,
    load_s: loadS,
    load_gb_per_s: fileBytes / 1e9 / loadS,
    peak_rss_mib: mebibytes(loaded.peakBytes),
    peak_over_packed_mib: mebibytes(loaded.peakBytes - loaded.packedBytes),
    read_s: readS,
    read_gb_per_s: fileBytes / 1e9 / readS,
    pack_s: packS,
    read_bandwidth_gb_per_s: limits.readGigabytesPerSecond,
    allowed_s: allowedS,
    share: allowedS / loadS,
    clear_s: clearS,
    share_with_clearing: Math.max(readS / threads + packS + clearS, readS) / loadS,
  };
}
