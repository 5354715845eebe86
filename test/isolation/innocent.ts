import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../support/programs/client.js';
import { modelId } from '../support/programs/service.js';

/** What the innocent tenant does all the time. `drop` only where the store is a folder. */
export type CallKind = 'call' | 'guided' | 'list' | 'dry run' | 'upload' | 'create' | 'batch' | 'stream start' | 'drop';

export interface Call {
  readonly kind: CallKind;
  /** By `performance.now()`. */
  readonly startMs: number;
  readonly endMs: number;
  /** Why it failed, or null. */
  readonly error: string | null;
}

export interface Stream {
  readonly startMs: number;
  readonly endMs: number;
  readonly error: string | null;
  /** Longest time without a chunk. */
  readonly silenceMs: number;
}

/** A call, or a stream, without its end. */
export interface Open {
  readonly kind: CallKind | 'stream';
  readonly startMs: number;
}

export interface Webhook {
  readonly batchId: string;
  /** When the batch was seen to have ended. */
  readonly endedMs: number;
  /** When its event came; null: not yet. */
  receivedMs: number | null;
}

export interface InnocentOptions {
  readonly url: string;
  readonly key: string;
  readonly tenant: string;
  readonly storeFolder: string | null;
}

const callTimeoutMs = 60_000;
const batchTimeoutMs = 60_000;
const prompt = '<human>: What is 12 plus 30?\n<bot>:';

const line = (at: number): string =>
  JSON.stringify({
    custom_id: `line-${at}`,
    method: 'POST',
    url: '/v1/completions',
    body: { model: modelId, prompt: `<human>: What is ${at} plus 3?\n<bot>:`, max_tokens: 4, temperature: 0 },
  });

interface BatchSeen {
  readonly id: string;
  readonly status: string;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly input_file_id: string;
}

/**
 * A tenant that uses the service as users do: streams one answer after another, makes small calls, posts small batches and receives
 * webhooks of their ends. It notes how long each took; what was noted is never thrown away, and looked at by time.
 */
export class Innocent {
  readonly calls: Call[] = [];
  readonly streams: Stream[] = [];
  readonly webhooks: Webhook[] = [];
  readonly #options: InnocentOptions;
  readonly #client: Client;
  /** A connection for each call: what keeps new connections out is noticed. */
  readonly #newcomer: Client;
  readonly #stopping = new AbortController();
  readonly #received = new Map<string, number>();
  readonly #loops: Promise<void>[] = [];
  /** Calls that have begun and not ended, by when. */
  readonly #open = new Set<Open>();
  #receiver: Server | null = null;
  #drops = 0;

  constructor(options: InnocentOptions) {
    this.#options = options;
    this.#client = new Client(options);
    this.#newcomer = new Client({ ...options, keepAlive: false });
  }

  async start(): Promise<void> {
    const url = await this.#startReceiver();
    await this.#client.json('POST', '/v1/webhook_endpoints', { url });
    const loops: (() => Promise<void>)[] = [
      () => this.#repeat(50, () => this.#stream()),
      () => this.#repeat(50, () => this.#stream()),
      () => this.#repeat(150, () => this.#timed('call', (signal) => this.#complete(this.#client, {}, signal))),
      () => this.#repeat(150, () => this.#timed('call', (signal) => this.#complete(this.#newcomer, {}, signal))),
      () =>
        this.#repeat(250, () =>
          this.#timed('guided', (signal) => this.#complete(this.#client, { guided_regex: '[0-9]{1,2}' }, signal)),
        ),
      () =>
        this.#repeat(250, () =>
          this.#timed('list', (signal) => this.#client.json('GET', '/v1/files?limit=5', undefined, { signal })),
        ),
      () => this.#repeat(250, () => this.#timed('dry run', (signal) => this.#dryRun(signal))),
      () => this.#repeat(150, () => this.#batch()),
    ];
    if (this.#options.storeFolder !== null) loops.push(() => this.#repeat(250, () => this.#drop()));
    for (const loop of loops) this.#loops.push(loop());
  }

  /** What has begun before `ms` and goes on. */
  openSince(ms: number): Open[] {
    return [...this.#open].filter(({ startMs }) => startMs < ms);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#client.close();
    this.#newcomer.close();
    this.#receiver?.closeAllConnections();
    this.#receiver?.close();
    await Promise.all(this.#loops);
  }

  async #repeat(pauseMs: number, step: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const before = performance.now();
      await step().catch(() => undefined);
      // What fails at once is not tried again at once.
      const pause = Math.max(pauseMs, 20 - (performance.now() - before));
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Notes a call of at most `callTimeoutMs`. One that the end of the suite cut off is no call. */
  async #timed<T>(
    kind: CallKind,
    step: (signal: AbortSignal) => Promise<T>,
    timeoutMs = callTimeoutMs,
  ): Promise<T | null> {
    const startMs = performance.now();
    const open = { kind, startMs };
    this.#open.add(open);
    let error: string | null = null;
    try {
      return await step(AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(timeoutMs)]));
    } catch (cause) {
      error = words(cause);
      return null;
    } finally {
      this.#open.delete(open);
      if (!this.#stopping.signal.aborted) this.calls.push({ kind, startMs, endMs: performance.now(), error });
    }
  }

  async #complete(client: Client, change: object, signal: AbortSignal): Promise<void> {
    const body = { model: modelId, prompt, max_tokens: 2, temperature: 0, ...change };
    await client.json('POST', '/v1/completions', body, { signal });
  }

  async #dryRun(signal: AbortSignal): Promise<void> {
    const requests = [{ custom_id: 'a', body: { model: modelId, prompt, max_tokens: 2 } }];
    const { eyrie } = await this.#client.json<{ eyrie: { valid: boolean } }>(
      'POST',
      '/v1/batches',
      { endpoint: '/v1/completions', completion_window: '24h', eyrie: { requests, dry_run: true } },
      { signal },
    );
    if (!eyrie.valid) throw new Error('the dry run found fault');
  }

  async #stream(): Promise<void> {
    const startMs = performance.now();
    const open = { kind: 'stream' as const, startMs };
    this.#open.add(open);
    let last = startMs;
    let silenceMs = 0;
    let error: string | null = null;
    let reason: string | null = null;
    let done = false;
    const body = {
      model: modelId,
      messages: [{ role: 'user', content: 'What is 7 plus 8?' }],
      max_tokens: 200,
      ignore_eos: true,
      stream: true,
    };
    try {
      const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(2 * callTimeoutMs)]);
      for await (const event of this.#client.events('/v1/chat/completions', body, { signal })) {
        const now = performance.now();
        if (last === startMs) this.calls.push({ kind: 'stream start', startMs, endMs: now, error: null });
        else silenceMs = Math.max(silenceMs, now - last);
        last = now;
        if (event === '[DONE]') {
          done = true;
          continue;
        }
        const chunk = JSON.parse(event) as { choices?: { finish_reason: string | null }[]; error?: object };
        if (chunk.error) error = JSON.stringify(chunk.error);
        reason = chunk.choices?.[0]?.finish_reason ?? reason;
      }
      if (!done) error ??= 'ended before [DONE]';
      if (reason !== 'length' && reason !== 'stop') error ??= `finish_reason ${reason}`;
    } catch (cause) {
      error ??= words(cause);
    } finally {
      this.#open.delete(open);
    }
    if (!this.#stopping.signal.aborted) this.streams.push({ startMs, endMs: performance.now(), error, silenceMs });
  }

  async #batch(): Promise<void> {
    const lines = 1 + (this.webhooks.length % 3);
    const content = Array.from({ length: lines }, (_, at) => line(at)).join('\n');
    const file = await this.#timed('upload', (signal) => this.#client.upload(content, { signal }));
    if (file === null) return;
    const created = await this.#timed('create', (signal) =>
      this.#client.json<BatchSeen>(
        'POST',
        '/v1/batches',
        { input_file_id: file, endpoint: '/v1/completions', completion_window: '24h' },
        { signal },
      ),
    );
    if (created === null) return;
    await this.#timed('batch', (signal) => this.#untilEnd(created.id, lines, signal), batchTimeoutMs);
  }

  async #untilEnd(id: string, lines: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const batch = await this.#client.json<BatchSeen>('GET', `/v1/batches/${id}`, undefined, { signal });
      if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
        const endedMs = performance.now();
        this.webhooks.push({ batchId: id, endedMs, receivedMs: this.#received.get(id) ?? null });
        const { total, completed, failed } = batch.request_counts;
        if (batch.status !== 'completed' || total !== lines || completed !== lines || failed !== 0)
          throw new Error(`batch ${batch.status}, ${completed} of ${total} lines, ${lines} were sent`);
        return;
      }
      await sleep(40, undefined, { signal });
    }
  }

  /** A file in the inbox, until its results lie in the outbox. */
  async #drop(): Promise<void> {
    const { storeFolder, tenant } = this.#options;
    const name = `drop-${this.#drops++}`;
    const outbox = path.join(storeFolder ?? '', 'outbox', tenant);
    await this.#timed('drop', async (signal) => {
      await writeFile(path.join(storeFolder ?? '', 'inbox', tenant, `${name}.jsonl`), `${line(0)}\n`);
      for (;;) {
        const results = await readdir(outbox).catch(() => []);
        if (results.some((file) => file.startsWith(`${name}.`) || file.startsWith(`${name}-`))) return;
        await sleep(100, undefined, { signal });
      }
    });
  }

  #startReceiver(): Promise<string> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        response.writeHead(204).end();
        const now = performance.now();
        const { data } = JSON.parse(body) as { data: { id: string } };
        if (this.#received.has(data.id)) return;
        this.#received.set(data.id, now);
        for (const webhook of this.webhooks) if (webhook.batchId === data.id) webhook.receivedMs ??= now;
      });
      request.on('error', () => undefined);
    });
    this.#receiver = server;
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () =>
        resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`),
      );
    });
  }
}

function words(cause: unknown): string {
  const { name, message } = cause as Error;
  return name === 'TimeoutError' ? 'no answer in time' : message;
}
