import { bounds } from '../src/domain/bounds.js';
import { LocalSystem } from './system/local-system.js';
import { peakRssMib } from './system/process-memory.js';
import { requestChunks } from './system/request-lines.js';

export interface IngestOptions {
  readonly model: string;
  readonly lines: number;
  readonly megabytes: number;
}

interface Phase {
  readonly seconds: number;
  readonly lines_per_s: number;
  readonly mb_per_s: number;
}

export interface IngestFigures {
  readonly lines: number;
  readonly bytes: number;
  /** The file through the API into the store. */
  readonly upload: Phase;
  /** From the batch's creation to its plan: every line validated, tokenized and cut into shards. */
  readonly plan: Phase;
  /** Upload and plan together. */
  readonly lines_per_s: number;
  /** Peak resident memory of each process after start, after a file a tenth of the size, and after the whole file. */
  readonly peak_rss_mib: Readonly<Record<'api' | 'control', { start: number; tenth: number; whole: number }>>;
  /** What the whole file added to the peak over the tenth, as a share of the file's size: 0 = flat. */
  readonly growth_over_file: Readonly<Record<'api' | 'control', number>>;
}

const promptTokens = 64;
const programs = ['api', 'control'] as const;
type Program = (typeof programs)[number];
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

async function* paced(chunks: Iterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
    await Promise.resolve();
  }
}

/** Uploads a file of so many lines and waits for its plan, without any worker. */
async function ingest(system: LocalSystem, lines: number, promptChars: number, seed: number) {
  let bytes = 0;
  const chunks = requestChunks({ lines, model: system.service.modelId, promptChars, maxTokens: promptTokens, seed });
  const started = performance.now();
  const fileId = await system.upload(paced(chunks, (more) => (bytes += more)));
  const uploaded = performance.now();
  const batchId = await system.submit(fileId);
  await system.reached(batchId, 'plan');
  const planned = performance.now();
  await system.call('POST', `/v1/batches/${batchId}/cancel`);
  const phase = (ms: number): Phase => ({
    seconds: rounded(ms / 1000, 2),
    lines_per_s: Math.round((lines / ms) * 1000),
    mb_per_s: rounded(bytes / ms / 1000, 1),
  });
  return {
    bytes,
    upload: phase(uploaded - started),
    plan: phase(planned - uploaded),
    linesPerSecond: Math.round((lines / (planned - started)) * 1000),
  };
}

/**
 * The largest input the service takes, uploaded, validated and planned by real processes over a folder store. Memory must not follow
 * the file: the peak after the whole file stands beside that after a tenth of it. The sender makes the lines as it sends them, which
 * is part of the upload's time.
 */
export async function benchIngest({ model, lines, megabytes }: IngestOptions): Promise<IngestFigures> {
  // Some 150 bytes of each line are not its prompt.
  const promptChars = Math.floor((megabytes * 1_000_000) / lines) - 150;
  const system = await LocalSystem.start({ model, workersMax: 0 });
  const peaks = async (): Promise<Record<Program, number>> => {
    const of = async (name: Program): Promise<number> => {
      const [pid] = system.service.supervisor.pids(name);
      if (pid === undefined) throw new Error(`${name} is not running.`);
      return rounded(await peakRssMib(pid), 1);
    };
    return { api: await of('api'), control: await of('control') };
  };
  try {
    const start = await peaks();
    await ingest(system, Math.ceil(lines / 10), promptChars, 1);
    const tenth = await peaks();
    const { bytes, upload, plan, linesPerSecond } = await ingest(system, lines, promptChars, 2);
    if (bytes > bounds.inputFileBytesMax) throw new Error(`The file has ${bytes} bytes.`);
    const whole = await peaks();
    const memory = (name: Program) => ({ start: start[name], tenth: tenth[name], whole: whole[name] });
    const growth = (name: Program): number => rounded(((whole[name] - tenth[name]) * 2 ** 20) / bytes, 3);
    return {
      lines,
      bytes,
      upload,
      plan,
      lines_per_s: linesPerSecond,
      peak_rss_mib: { api: memory('api'), control: memory('control') },
      growth_over_file: { api: growth('api'), control: growth('control') },
    };
  } finally {
    await system.stop();
  }
}
