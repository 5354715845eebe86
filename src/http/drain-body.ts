import type { IncomingMessage } from 'node:http';

export const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

/** Whether there is more of a body than has been read. */
export const isComingIn = (request: IncomingMessage): boolean =>
  !request.complete && !request.destroyed && hasBody(request);

/**
 * Reads and drops what is left of a request's body. Called when the answer goes out before the body is in: a client that is still
 * sending would else meet a closed connection and never see the answer. Beyond the bound the connection is closed after all. `inTurn`
 * begins a step when it is its turn: dozens of bodies that are refused together would else be all that the process reads for a while.
 */
export function drainBody(request: IncomingMessage, bytesMax: number, inTurn: (step: () => void) => void): void {
  let bytes = 0;
  request.unpipe();
  request.on('error', () => {}); // cut off: nobody waits for this body any more
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      request.destroy();
      return;
    }
    request.pause();
    inTurn(() => request.resume());
  });
  request.resume();
}
