import { Readable } from 'node:stream';
import { z } from 'zod';
import { loadFile } from '../../app/files/find-file.js';
import { openFileContent } from '../../app/files/open-file-content.js';
import type { World } from '../../app/world.js';
import type { StoredFile } from '../../contract/stored-objects.js';
import { errorCode, EyrieError } from '../../domain/errors.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { parseByteRange } from '../byte-range.js';
import { answerEnds, type Places } from '../places.js';
import type { LoopTurns } from '../sockets/loop-turns.js';

/** Content never changes under an id: its hash names it, or the id where nobody hashed it (a file dropped into the inbox). */
const etagOf = (file: StoredFile): string => `"${file.sha256 || file.id}"`;

const isNamed = (header: string, etag: string): boolean =>
  header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);

/** As RFC 8187 has it: the name is a user's text and must not reach the header as it is. */
function disposition(filename: string): string {
  const wellFormed = Buffer.from(filename).toString();
  const encoded = encodeURIComponent(wellFormed).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename*=UTF-8''${encoded}`;
}

const contentHeaders = z.object({
  Range: z.string().optional(),
  'If-Range': z.string().optional(),
  'If-None-Match': z.string().optional(),
});

export function fileContentRoutes(world: World, places: Places, turns: LoopTurns): ApiRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/files/:file_id/content',
      summary: 'Read the content of a file, or a range of it',
      access: 'files:read',
      share: 'downloads',
      headers: contentHeaders,
      answer: 'application/octet-stream',
      handle: async ({ tenant, params, headers, request, reply }) => {
        const file = await loadFile(world, tenant, params['file_id'] ?? '');
        const etag = etagOf(file);
        const general = { etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' };
        if (headers['If-None-Match'] !== undefined && isNamed(headers['If-None-Match'], etag))
          return reply.code(304).headers(general).send();
        const ifRange = headers['If-Range'];
        const range = ifRange === undefined || ifRange === etag ? parseByteRange(headers.Range, file.bytes) : null;
        if (range === 'unsatisfiable') {
          void reply.headers({ ...general, 'content-range': `bytes */${file.bytes}` });
          throw new EyrieError(
            'range_not_satisfiable',
            `The file has ${file.bytes} bytes; the range lies behind them.`,
            {
              param: 'range',
            },
          );
        }
        // Opened before anything is said of the content: what cannot be read is an error, not a cut body.
        const open = async () => {
          const leave = await places.hold('openings', tenant, reply);
          try {
            const signal = answerEnds(reply);
            const content = await openFileContent(world, file, range, { signal, turn: () => turns.enter(tenant) });
            if (!signal.aborted) return content;
            // Nobody takes it: an answer that is sent now would never end.
            await content[Symbol.asyncIterator]().return?.();
            throw signal.reason as Error;
          } finally {
            leave();
          }
        };
        const content = request.method === 'HEAD' ? null : await open();
        if (range) void reply.code(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${file.bytes}`);
        void reply.headers({
          ...general,
          'content-type': 'application/octet-stream',
          'content-length': range ? range.end - range.start : file.bytes,
          'content-disposition': disposition(file.filename),
        });
        if (!content) return reply.send();
        const body = Readable.from(content, { objectMode: false });
        body.on('error', (error) => {
          // The client has gone: nothing failed.
          if (reply.raw.destroyed && !reply.raw.writableFinished) return;
          // The status is out: closing the connection short of content-length is all that is left to tell.
          world.log.error(
            'file.read_failed',
            { requestId: request.id, fileId: file.id, code: errorCode(error) },
            error,
          );
        });
        return reply.send(body);
      },
    }),
  ];
}
