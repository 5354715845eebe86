import type { IncomingMessage } from 'node:http';

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

/**
 * Reads and drops what is left of a request's body. Called when the answer goes out before the body is in: a client that is still
 * sending would else meet a closed connection and never see the answer. Beyond the bound the connection is closed after all.
 */
export function drainBody(request: IncomingMessage, bytesMax: number): void {
  if (request.complete || request.destroyed || !hasBody(request)) return;
  let bytes = 0;
  request.unpipe();
  request.on('error', () => {}); // cut off: nobody waits for this body any more
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) request.destroy();
  });
  request.resume();
}
