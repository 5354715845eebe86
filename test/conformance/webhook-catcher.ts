import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

export interface CaughtWebhook {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Takes webhooks and keeps them as they came; `GET /` shows them as JSON, for clients in another language. */
export class WebhookCatcher {
  readonly caught: CaughtWebhook[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      if (request.method === 'GET') {
        response.end(JSON.stringify(this.caught));
        return;
      }
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        this.caught.push({ body: Buffer.concat(chunks).toString('utf8'), headers });
        response.end();
      });
    });
  }

  static async start(): Promise<WebhookCatcher> {
    const catcher = new WebhookCatcher();
    catcher.#server.listen(0, '127.0.0.1');
    await once(catcher.#server, 'listening');
    return catcher;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}
