import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface CaughtWebhook {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface WebhookCatcher {
  readonly url: string;
  /** The next delivery not yet taken; waits for it up to `timeoutMs`. */
  next(timeoutMs: number): Promise<CaughtWebhook>;
  close(): Promise<void>;
}

/** A receiver of webhooks on this machine: what a user's own server would be. */
export async function catchWebhooks(): Promise<WebhookCatcher> {
  const caught: CaughtWebhook[] = [];
  let wake = (): void => undefined;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => (body += text));
    request.on('end', () => {
      caught.push({ headers: request.headers, body });
      response.writeHead(204).end();
      wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/webhook`,
    async next(timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const first = caught.shift();
        if (first) return first;
        const left = deadline - Date.now();
        if (left <= 0) throw new Error(`No webhook arrived within ${timeoutMs / 1000} s.`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
