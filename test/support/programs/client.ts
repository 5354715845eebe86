import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';

export interface ClientOptions {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly key: string;
  /** Where its connections come from. Attackers have an address of their own, as other machines do. */
  readonly localAddress?: string;
  /** Connections at once; default as many as are asked for. */
  readonly sockets?: number;
  /** false: a connection for each call. */
  readonly keepAlive?: boolean;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** The whole call; after it the call fails. */
  readonly timeoutMs?: number;
  /** false: the answer is read and dropped. */
  readonly keep?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly bytes: number;
}

export type Body = string | Buffer | object | undefined;

const timeoutMsDefault = 60_000;

/** A plain client of the API that repeats nothing, so that each call counts. */
export class Client {
  readonly #options: ClientOptions;
  readonly #agent: Agent;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { localAddress, sockets = Infinity, keepAlive = true } = options;
    this.#agent = new Agent({ keepAlive, maxSockets: sockets, ...(localAddress ? { localAddress } : {}) });
  }

  /** Ends all of its connections. */
  close(): void {
    this.#agent.destroy();
  }

  /** Begins a request and leaves body and answer to the caller. */
  open(
    method: string,
    path: string,
    headers: Readonly<Record<string, string | number>>,
    signal?: AbortSignal,
  ): ClientRequest {
    return httpRequest(`${this.#options.url}${path}`, {
      method,
      agent: this.#agent,
      headers: { authorization: `Bearer ${this.#options.key}`, ...headers },
      ...(signal ? { signal } : {}),
    });
  }

  async call(method: string, path: string, body?: Body, options: CallOptions = {}): Promise<Answer> {
    const response = await this.#begin(method, path, body, options);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (options.keep !== false) chunks.push(chunk);
    }
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), bytes };
  }

  /** A call whose answer must be good; gives its JSON. */
  async json<T>(method: string, path: string, body?: Body, options: CallOptions = {}): Promise<T> {
    const { status, text } = await this.call(method, path, body, options);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  /** The events of a streamed answer, as the text after `data: `. Throws when the answer is no stream or is cut off. */
  async *events(path: string, body: object, options: CallOptions = {}): AsyncGenerator<string> {
    const response = await this.#begin('POST', path, body, options);
    let rest = '';
    if (response.statusCode !== 200) {
      for await (const chunk of response) rest += String(chunk);
      throw new Error(`${path}: ${response.statusCode} ${rest.slice(0, 300)}`);
    }
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data: ')) yield line.slice('data: '.length);
    }
  }

  /** Uploads a file; gives its id. */
  async upload(content: string | Buffer, options: CallOptions = {}): Promise<string> {
    const boundary = 'a-boundary-that-no-content-has';
    const part = (name: string, more = ''): string =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
    const body = Buffer.concat([
      Buffer.from(`${part('purpose')}batch\r\n${part('file', '; filename="in.jsonl"')}`),
      Buffer.isBuffer(content) ? content : Buffer.from(content),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const headers = { ...options.headers, 'content-type': `multipart/form-data; boundary=${boundary}` };
    return (await this.json<{ id: string }>('POST', '/v1/files', body, { ...options, headers })).id;
  }

  async #begin(method: string, path: string, body: Body, options: CallOptions): Promise<IncomingMessage> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? timeoutMsDefault);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const bytes =
      body === undefined || Buffer.isBuffer(body)
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const request = this.open(
      method,
      path,
      {
        ...(bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {}),
        ...options.headers,
      },
      signal,
    );
    return new Promise((resolve, reject) => {
      request.once('response', resolve);
      // Stays: a request that is cut off after its answer began says so again.
      request.on('error', reject);
      request.end(bytes);
    });
  }
}
