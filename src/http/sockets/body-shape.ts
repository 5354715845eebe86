import type { IncomingMessage } from 'node:http';
import { bounds } from '../../domain/bounds.js';

/**
 * Tells of bodies that are made of very many tiny pieces, or of far more frame than content: each piece costs as much as a large one.
 * `onBad` is called once; what comes after it is dropped. The pieces are seen where Node hands them over, one by one, before they
 * are put together again.
 */
export function watchBodyShape(request: IncomingMessage, onBad: () => void): void {
  if (request.headers['transfer-encoding'] === undefined) return;
  const { socket } = request;
  const socketBytesBefore = socket.bytesRead;
  const push = request.push.bind(request);
  let pieces = 0;
  let bytes = 0;
  let bad = false;
  request.push = (piece: Uint8Array | null): boolean => {
    if (piece === null) return push(piece);
    if (bad) return true;
    pieces++;
    bytes += piece.length;
    const frameBytes = socket.bytesRead - socketBytesBefore - bytes;
    bad =
      pieces > bounds.bodyPiecesFree + bytes / bounds.bodyPieceBytesMin ||
      frameBytes > bytes + bounds.bodyFrameBytesFree;
    if (!bad) return push(piece);
    onBad();
    return true;
  };
}
