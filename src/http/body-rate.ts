import type { IncomingMessage } from 'node:http';
import { RateWindow, type LeastRate } from './sockets/rate-window.js';

export type BodyRate = LeastRate;

/**
 * Tells of senders that let a body trickle to hold a connection open: `onSlow` is called once when less than the least rate came in a
 * window. Only time in which the service waits for the sender counts: while it does not read (a slow store, a check of the key, a
 * place that is waited for), the clock stands still.
 */
export function watchBodyRate(request: IncomingMessage, rate: BodyRate, onSlow: () => void): void {
  const { socket } = request;
  const tickMs = Math.max(10, rate.graceMs / 10);
  const window = new RateWindow(rate, tickMs);
  let seenBytes = socket.bytesRead;
  const timer = setInterval(() => {
    if (request.complete || request.destroyed) {
      clearInterval(timer);
      return;
    }
    if (request.readableFlowing !== true) return;
    const tooSlow = window.tick(socket.bytesRead - seenBytes);
    seenBytes = socket.bytesRead;
    if (!tooSlow) return;
    clearInterval(timer);
    onSlow();
  }, tickMs);
  timer.unref();
  request.once('close', () => clearInterval(timer));
}
