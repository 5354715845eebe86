import type { LiveJob } from '../../contract/queue-payload.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import type { CallOutbox } from './call-outbox.js';

/** Gathers texts into pieces of some size, as bytes. */
async function* toBytes(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const text of texts) {
    const piece = Buffer.from(text);
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < bounds.liveInlineBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

async function* putBack<T>(first: readonly T[], rest: AsyncIterator<T>): AsyncGenerator<T> {
  yield* first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** Hands an answer to who waits as it is made: through the channel, or, when it is too large for that, through the store. */
export async function sendAnswer(
  { store }: { readonly store: ObjectStore },
  { tenant, callId }: LiveJob,
  texts: AsyncIterable<string>,
  outbox: CallOutbox,
): Promise<void> {
  const pieces = toBytes(texts);
  const first = await pieces.next();
  const second = await pieces.next();
  const start = first.done === true ? Buffer.of() : first.value;
  if (second.done === true && start.length <= bounds.liveInlineBytes) {
    await outbox.send({ kind: 'answer', body: Buffer.from(start).toString() });
    return;
  }
  const begun = second.done === true ? [start] : [start, second.value];
  await store.putStream(keys.liveAnswer(tenant, callId), putBack(begun, pieces));
  await outbox.send({ kind: 'answer', body: null });
}
