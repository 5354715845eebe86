import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Store } from '../../../../src/adapters/s3/s3-store.js';

export interface ScriptedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Answers one request, by hand. */
export type Answer = (request: ScriptedRequest, response: ServerResponse) => void;

export const status =
  (code: number, name?: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_request, response) => {
    response.writeHead(code, { 'content-type': 'application/xml', ...headers });
    response.end(name === undefined ? '' : `<Error><Code>${name}</Code><Message>${name}</Message></Error>`);
  };

export const content =
  (text: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_request, response) => {
    response.writeHead(headers['content-range'] === undefined ? 200 : 206, {
      etag: '"e1"',
      'content-length': String(Buffer.byteLength(text)),
      'last-modified': 'Wed, 25 Nov 2026 00:00:00 GMT',
      ...headers,
    });
    response.end(text);
  };

/** The connection is cut without an answer, whatever was done. */
export const cut: Answer = (_request, response) => void response.destroy();

/** A server that gives the answers of a list, in their order, to an S3Store. */
export class ScriptedServer {
  readonly requests: ScriptedRequest[] = [];
  readonly store: S3Store;
  /** That were opened so far. */
  connections = 0;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, attemptMsMax: number) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.store = new S3Store({
      bucket: 'b',
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: 'k', secretAccessKey: 's' },
      retry: { attemptsMax: 3, pauseMsBase: 1, attemptMsMax },
    });
  }

  /** `attemptMsMax`: by default long enough that a slow machine never runs into it. */
  static async start(answers: Answer[], attemptMsMax = 30_000): Promise<ScriptedServer> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const scripted = new ScriptedServer(server, attemptMsMax);
    server.on('connection', () => scripted.connections++);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const seen = { method, url, headers, body: Buffer.concat(chunks) };
        scripted.requests.push(seen);
        (answers.shift() ?? status(400, 'NoAnswerLeft'))(seen, response);
      });
    });
    return scripted;
  }

  /** `METHOD key` of all requests. */
  calls(): string[] {
    return this.requests.map(
      ({ method, url }) => `${method} ${url.replace(/^\/b\/?/, '').replace(/[?&]x-id=\w+/, '')}`,
    );
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
