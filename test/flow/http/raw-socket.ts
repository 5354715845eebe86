import { connect, type Socket } from 'node:net';

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
    const start = Date.now();
    for (;;) {
      if (this.#received.includes('\r\n\r\n')) {
        const answer = parseAnswer(this.#received);
        if (answer.body.length >= Number(answer.headers['content-length'] ?? 0)) return answer;
      }
      if (this.closed || Date.now() - start > 10_000)
        throw new Error(`No answer: ${this.#received || 'nothing'} ${this.#failure?.message ?? ''}`);
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Waits until a condition holds; fails after ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const start = Date.now();
  while (!condition()) {
    if (Date.now() - start > 10_000) throw new Error(`Waited in vain until ${what}.`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
