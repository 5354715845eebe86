import { connect, type Socket } from 'node:net';
import { eventually } from '../../support/eventually.js';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function parseAnswer(text: string): RawAnswer {
  const split = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, split).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(split + 4) };
}

/** A connection on which a test sends any bytes. */
export class RawSocket {
  readonly socket: Socket;
  #received = '';
  #failure: Error | null = null;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
    });
    this.socket.on('error', (error) => {
      this.#failure = error;
    });
  }

  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(bytes, () => resolve());
    });
  }

  get received(): string {
    return this.#received;
  }

  get closed(): boolean {
    return this.socket.destroyed || this.#failure !== null;
  }

  /** The first answer, once `content-length` bytes of its body are there. */
  async answer(): Promise<RawAnswer> {
    let answer: RawAnswer | null = null;
    await eventually('an answer came', () => {
      if (this.#received.includes('\r\n\r\n')) answer = parseAnswer(this.#received);
      if (answer === null && this.closed) throw new Error(`No answer: ${this.#failure?.message ?? 'closed'}`);
      return answer !== null && answer.body.length >= Number(answer.headers['content-length'] ?? 0);
    });
    return answer ?? parseAnswer('');
  }

  /** Whether the connection broke, or was never made. */
  get failed(): boolean {
    return this.#failure !== null;
  }

  /** Resolves when the connection is closed by either side. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed) resolve();
      else this.socket.once('close', () => resolve());
    });
  }

  destroy(): void {
    this.socket.destroy();
  }
}
