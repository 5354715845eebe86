import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { answerEnds } from '../places.js';
import type { UnreadBytes } from '../unread-bytes.js';

declare module 'fastify' {
  interface FastifyReply {
    /** Its content is kept for all who ask: nothing is held for this client. */
    isKept: boolean;
  }
}

const cutConnection = ({ request }: FastifyReply): void => void request.raw.socket.destroy();

/**
 * Counts an answer that is given as a whole, from when it is about to be sent. Mostly the system takes all of it at once. Streams are
 * none: the content of a file and a large answer hold a place until they have ended.
 */
export function watchWhole(unread: UnreadBytes, reply: FastifyReply, payload: unknown): void {
  if (reply.isKept || reply.request.method === 'HEAD') return;
  if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return;
  const bytes = Buffer.byteLength(payload);
  // It is sent in this turn, after the hooks.
  setImmediate(() => {
    const { raw, request } = reply;
    if (raw.destroyed || raw.writableFinished) return;
    // A piece of memory is held until the last byte of it was taken.
    const held = (): number => (raw.writableFinished ? 0 : bytes);
    unread.watch(request.tenant, { bytes: held, cut: () => cutConnection(reply) }, answerEnds(reply));
  });
}

/** Counts a stream; what this gives is to be called after each push into it. */
export function watchStream(unread: UnreadBytes, reply: FastifyReply, stream: Readable): () => void {
  const cut = (): void => {
    stream.destroy();
    cutConnection(reply);
  };
  const bytes = (): number => stream.readableLength + reply.raw.writableLength;
  return unread.watch(reply.request.tenant, { bytes, cut, max: 'liveUnreadBytesMax' }, answerEnds(reply));
}
