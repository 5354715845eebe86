import type { IncomingMessage } from 'node:http';
import { EyrieError } from '../domain/errors.js';

export interface BodyRate {
  readonly bytesPerSecondMin: number;
  /** Time in which nothing is demanded. */
  readonly graceMs: number;
}

/**
 * Cuts senders that let a body trickle to hold a connection open. Only time in which the service waits for the sender counts:
 * while it does not read (a slow store, a check of the key), the clock stands still.
 */
export function watchBodyRate(request: IncomingMessage, { bytesPerSecondMin, graceMs }: BodyRate): void {
  const { socket } = request;
  const bytesBefore = socket.bytesRead;
  const tickMs = Math.max(10, graceMs / 10);
  let waitedMs = 0;
  const timer = setInterval(() => {
    if (request.complete || request.destroyed) {
      clearInterval(timer);
      return;
    }
    if (request.readableFlowing !== true) return;
    waitedMs += tickMs;
    const demanded = (bytesPerSecondMin * waitedMs) / 1000;
    if (waitedMs < graceMs || socket.bytesRead - bytesBefore >= demanded) return;
    clearInterval(timer);
    request.destroy(new EyrieError('request_timeout', 'The body arrived too slowly. Send it again, faster.'));
  }, tickMs);
  timer.unref();
  request.once('close', () => clearInterval(timer));
}
