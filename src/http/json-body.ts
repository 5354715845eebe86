import type { IncomingMessage } from 'node:http';
import { bounds } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { nestsWithin } from '../domain/json-depth.js';
import { hasBody } from './drain-body.js';

const tooLarge = (bytesMax: number): EyrieError =>
  new EyrieError(
    'body_too_large',
    `The body is too large: at most ${bytesMax} bytes are allowed. Send lines as a file (POST /v1/files).`,
  );

/** Bodies are taken as they are: a compressed one could unfold to any size. */
export function refuseCompressed(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new EyrieError('unsupported_media_type', `Compressed bodies are not supported. Send it without encoding.`, {
      param: 'content-encoding',
    });
}

function readBounded(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (end: () => void) => {
      request.off('data', take).off('end', finish).off('error', fail).off('close', closed);
      end();
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) settle(() => reject(tooLarge(bytesMax)));
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
 * The request's JSON body; `undefined` when it is empty, whatever its content type says (the Python client sends one with empty
 * bodies). Size, encoding and depth are checked on the bytes, before anything is parsed.
 */
export async function readJsonBody(
  request: IncomingMessage,
  bytesMax: number = bounds.jsonBodyBytesMax,
): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  refuseCompressed(request);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const bytes = await readBounded(request, bytesMax);
  if (bytes.length === 0) return undefined;
  if (!isJson(request.headers['content-type'] ?? ''))
    throw new EyrieError('unsupported_media_type', 'A JSON body is needed, with "Content-Type: application/json".', {
      param: 'content-type',
    });
  if (!nestsWithin(bytes, bounds.jsonDepthMax))
    throw new EyrieError('invalid_json', `The body is nested too deeply: at most ${bounds.jsonDepthMax} levels.`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'check commas, quotes and brackets' : 'it is not valid UTF-8';
    throw new EyrieError('invalid_json', `The body is not valid JSON: ${reason}.`, { cause });
  }
}
