import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { World } from '../app/world.js';
import { bounds } from '../domain/bounds.js';
import { errorKinds, EyrieError } from '../domain/errors.js';
import { toErrorResponse } from './error-response.js';

function toEyrieError(code: string | undefined): EyrieError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new EyrieError(
        'headers_too_large',
        `The request headers are too large: at most ${bounds.headerBytesMax} bytes are allowed.`,
        { bound: 'headerBytesMax' },
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new EyrieError('request_timeout', 'The request did not arrive in time. Send it again, faster.', {
        bound: 'headersMs',
      });
    default:
      return new EyrieError('invalid_value', 'The request is not well-formed HTTP.');
  }
}

/** The answer that is under way on a connection, as Node itself looks it up for this event. */
const answerBegan = (socket: Socket): boolean =>
  (Reflect.get(socket, '_httpMessage') as ServerResponse | null | undefined)?.headersSent === true;

/** The answer to a connection for which there is no room. */
export function refuseConnection(world: Pick<World, 'ids' | 'log'>, socket: Socket): void {
  const requestId = world.ids.next('request');
  socket.on('error', () => undefined);
  endWith(socket, new EyrieError('service_unavailable', 'Too many connections.'), requestId);
}

/** Writes an answer of our own and ends our side. Who does not end theirs is cut off by `Connections`. */
function endWith(socket: Socket, error: EyrieError, requestId: string): void {
  const { status, headers, body } = toErrorResponse(error, requestId);
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
}

/** Answers what is no HTTP request (bad syntax, headers too large or too slow) and closes the connection. */
export function answerClientError(world: Pick<World, 'ids' | 'log' | 'refusals'>, error: Error, socket: Socket): void {
  const requestId = world.ids.next('request');
  const reason = (error as { code?: string }).code;
  const refusal = toEyrieError(reason);
  if (refusal.bound !== null) world.refusals.note('', refusal.bound);
  world.log.info('http.bad_request', { requestId, status: errorKinds[refusal.code].status, reason: reason ?? null });
  if (!socket.writable || answerBegan(socket)) {
    socket.destroy();
    return;
  }
  endWith(socket, refusal, requestId);
}
