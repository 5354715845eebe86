import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Body, type CallOptions } from '../../support/programs/client.js';

/** What an attacker knows of the service. */
export interface Target {
  readonly url: string;
  readonly key: string;
  /** Of a tenant whose quotas are small. */
  readonly limitedKey: string;
  readonly model: string;
  /** The attacker's folder of drops, where the store is a folder. */
  readonly inbox: string | null;
  readonly nameServer: string;
}

export interface Attack {
  readonly name: string;
  /** Where it needs something that not every machine or store has. */
  readonly needs?: 'folder' | 'names';
  /** Its target is the store: a short run makes it over S3, too. */
  readonly s3?: true;
  /** Makes what the attack needs, and is not measured. Gives the attack, which goes on until the signal. */
  readonly prepare: (attacker: Attacker, signal: AbortSignal) => Promise<() => Promise<void>>;
  /** Looks whether limits have held. */
  readonly after?: (attacker: Attacker) => Promise<void>;
}

/** Addresses of the attacker's machine: limits by address must not be what keeps others out. */
const localAddress = '127.0.0.66';

/** The tools of an attack: clients, raw sockets, loops; and what came of it all. */
export class Attacker {
  readonly target: Target;
  readonly client: Client;
  readonly #counts = new Map<string, number>();
  readonly #violations: string[] = [];

  constructor(target: Target) {
    this.target = target;
    this.client = new Client({ url: target.url, key: target.key, localAddress });
  }

  another(key: string): Client {
    return new Client({ url: this.target.url, key, localAddress });
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  violate(text: string): void {
    this.#violations.push(text);
  }

  tally(): object {
    return { counts: Object.fromEntries(this.#counts), violations: this.#violations };
  }

  /** A call whose outcome is counted and whose answer is dropped. */
  async call(method: string, path: string, body?: Body, options: CallOptions = {}): Promise<number> {
    this.count('sent');
    try {
      const { status } = await this.client.call(method, path, body, { timeoutMs: 120_000, keep: false, ...options });
      this.count(String(status));
      return status;
    } catch (error) {
      if (!options.signal?.aborted) this.count((error as NodeJS.ErrnoException).code ?? (error as Error).name);
      return 0;
    }
  }

  /** A call whose client leaves after so long, whatever has come of it. */
  async leave(
    [method, path, body]: readonly [string, string, object?],
    afterMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const gone = new AbortController();
    const call = this.call(method, path, body, { signal: AbortSignal.any([signal, gone.signal]) });
    await sleep(afterMs);
    gone.abort();
    await call;
  }

  /** So many loops side by side, until the signal. */
  async lanes(
    lanes: number,
    signal: AbortSignal,
    step: (lane: number, round: number) => Promise<unknown>,
  ): Promise<void> {
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let round = 0; !signal.aborted; round++) {
          const before = performance.now();
          await step(lane, round);
          // Refusals that come at once must not make the loop one of this process alone.
          if (performance.now() - before < 2) await sleep(2);
        }
      }),
    );
  }

  /** A connection of one's own. Its end is counted, never thrown. */
  socket(): Socket {
    const { hostname, port } = new URL(this.target.url);
    const socket = connect({ host: hostname, port: Number(port), localAddress, allowHalfOpen: true });
    this.count('socket');
    socket.on('error', (error: NodeJS.ErrnoException) => this.count(`socket ${error.code ?? 'error'}`));
    return socket;
  }

  /** The head of a request, for `socket`. */
  head(method: string, path: string, headers: Readonly<Record<string, string | number>> = {}): string {
    const all = { host: 'eyrie.test', authorization: `Bearer ${this.target.key}`, ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
    return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  }

  /** So many sockets kept open; what is closed is opened again. */
  async hold(sockets: number, signal: AbortSignal, open: (at: number) => Socket): Promise<void> {
    const held = new Map<number, Socket>();
    while (!signal.aborted) {
      for (let at = 0; at < sockets && !signal.aborted; at++) {
        const socket = held.get(at);
        if (socket && !socket.destroyed) continue;
        held.set(at, open(at));
        if (at % 20 === 19) await sleep(1);
      }
      await sleep(200, undefined, { signal }).catch(() => undefined);
    }
    for (const socket of held.values()) socket.destroy();
  }

  /** An inline batch of this tenant; gives its id, or null when it was refused. */
  async batch(requests: readonly object[], signal: AbortSignal, key?: Client): Promise<string | null> {
    const body = { endpoint: '/v1/completions', completion_window: '24h', eyrie: { requests } };
    try {
      const { status, text } = await (key ?? this.client).call('POST', '/v1/batches', body, { signal });
      this.count(`batch ${status}`);
      return status === 200 ? (JSON.parse(text) as { id: string }).id : null;
    } catch (error) {
      if (!signal.aborted) this.count((error as NodeJS.ErrnoException).code ?? 'batch failed');
      return null;
    }
  }

  /** Waits for the end of a batch, whatever it is. */
  async ended(id: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { text } = await this.client
        .call('GET', `/v1/batches/${id}`, undefined, { signal })
        .catch(() => ({ text: '{}' }));
      if (/"status":\s*"(completed|failed|expired|cancelled)"/.test(text)) return;
      await sleep(200, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A small request of a batch. */
  request(at: number, change: Readonly<Record<string, unknown>> = {}): object {
    return {
      custom_id: `r-${at}`,
      body: { model: this.target.model, prompt: `<human>: What is ${at} plus 1?\n<bot>:`, max_tokens: 2, ...change },
    };
  }
}
