import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NumberBound } from '../contract/within.js';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { InlineBodyReader } from '../domain/inline/inline-body.js';
import type { InlineRequests } from '../domain/inline/inline-requests.js';
import { jsonExcess } from '../domain/json-size.js';
import { hasBody } from './drain-body.js';

const tooLarge = (bound: NumberBound): EyrieError =>
  new EyrieError(
    'body_too_large',
    `The body is too large: at most ${bounds[bound]} bytes are allowed. Send lines as a file (POST /v1/files).`,
    { bound },
  );

/** Bodies are taken as they are: a compressed one could unfold to any size. */
export function refuseCompressed(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new EyrieError('unsupported_media_type', `Compressed bodies are not supported. Send it without encoding.`, {
      param: 'content-encoding',
    });
}

function readBounded(request: IncomingMessage, bound: NumberBound): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (end: () => void) => {
      request.off('data', take).off('end', finish).off('error', fail).off('close', closed);
      end();
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bounds[bound]) settle(() => reject(tooLarge(bound)));
      else chunks.push(chunk);
    };
    const finish = () => settle(() => resolve(Buffer.concat(chunks, bytes)));
    const fail = (cause: Error) => settle(() => reject(cutOff(cause)));
    const closed = () => settle(() => reject(cutOff(undefined)));
    request.on('data', take).on('end', finish).on('error', fail).on('close', closed);
  });
}

const cutOff = (cause: unknown): EyrieError =>
  cause instanceof EyrieError
    ? cause
    : new EyrieError('upload_incomplete', 'The body ended before it was complete.', { cause });

const isJson = (contentType: string): boolean => /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);

/**
 * The bytes of the request's JSON body; null when it is empty, whatever its content type says (the Python client sends one with empty
 * bodies). Size, encoding and type are checked.
 */
export async function readJsonBytes(request: IncomingMessage, bound: NumberBound): Promise<Buffer | null> {
  if (!hasBody(request)) return null;
  refuseCompressed(request);
  if (Number(request.headers['content-length'] ?? 0) > bounds[bound]) throw tooLarge(bound);
  const bytes = await readBounded(request, bound);
  if (bytes.length === 0) return null;
  if (!isJson(request.headers['content-type'] ?? ''))
    throw new EyrieError('unsupported_media_type', 'A JSON body is needed, with "Content-Type: application/json".', {
      param: 'content-type',
    });
  return bytes;
}

/** The value of a body. Its depth and the number of its members are checked on the bytes, before anything is parsed. */
export function parseJson(bytes: Uint8Array): unknown {
  const excess = jsonExcess(bytes);
  if (excess)
    throw new EyrieError('invalid_json', `The body ${excess.what}. Send less at once.`, { bound: excess.bound });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'check commas, quotes and brackets' : 'it is not valid UTF-8';
    throw new EyrieError('invalid_json', `The body is not valid JSON: ${reason}.`, { cause });
  }
}

/** What stands for a list in the rest of the body: an array of its number. */
function putBack(holder: unknown, lists: readonly InlineRequests[]): void {
  if (typeof holder !== 'object' || holder === null || !('requests' in holder) || !Array.isArray(holder.requests))
    return;
  holder.requests = lists[Number(holder.requests[0])];
}

/**
 * The same for a body that may hold megabytes of `requests`, at the top or in `eyrie`: these are left as they came, as
 * `InlineRequests`. Others get their turn while it is read.
 */
export async function parseInlineJson(bytes: Uint8Array): Promise<unknown> {
  if (!isUtf8(bytes)) throw new EyrieError('invalid_json', 'The body is not valid JSON: it is not valid UTF-8.');
  const reader = new InlineBodyReader(bytes);
  let body = reader.step(bounds.turnBytes);
  while (!body) {
    await nextTurn();
    body = reader.step(bounds.turnBytes);
  }
  const json = parseJson(body.rest);
  putBack(json, body.lists);
  if (typeof json === 'object' && json !== null && 'eyrie' in json) putBack(json.eyrie, body.lists);
  return json;
}
