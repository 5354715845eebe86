import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { bounds } from '../../../src/domain/bounds.js';
import { toEventStream, type StreamNews } from '../../../src/http/event-stream.js';
import { UnreadBytes } from '../../../src/http/unread-bytes.js';
import { eventually } from '../../support/eventually.js';

const noError = (): object => ({});
/** What is called at each push: it counts the stream among those of the tenant. */
function counting(unread: UnreadBytes, tenant: string): (body: Readable) => void {
  const looks = new Map<Readable, () => void>();
  return (body) => {
    const answer = {
      bytes: () => body.readableLength,
      cut: () => void body.destroy(),
      max: 'liveUnreadBytesMax',
    } as const;
    const look = looks.get(body) ?? unread.watch(tenant, answer, new AbortController().signal);
    looks.set(body, look);
    look();
  };
}

const pushed = counting(new UnreadBytes(() => undefined), 'acme');

test('a reader that does not read is cut off, and the call given up', async () => {
  let left = false;
  let made = 0;
  async function* endless(): AsyncGenerator<StreamNews> {
    try {
      for (;;) {
        made += 65_536;
        yield { kind: 'chunks', chunks: ['x'.repeat(65_536)] };
      }
    } finally {
      left = true;
    }
  }
  const stream = toEventStream(endless(), noError, pushed);
  await eventually('the call is left', () => left);
  expect(stream.destroyed).toBe(true);
  expect(made).toBeGreaterThan(bounds.liveUnreadBytesMax);
  expect(made).toBeLessThan(bounds.liveUnreadBytesMax * 2);
});

test('a reader that has gone ends the call at its next news', async () => {
  let left = false;
  const more: (() => void)[] = [];
  async function* slow(): AsyncGenerator<StreamNews> {
    try {
      for (;;) {
        await new Promise<void>((resolve) => {
          more.push(resolve);
        });
        yield { kind: 'alive' };
      }
    } finally {
      left = true;
    }
  }
  const stream = toEventStream(slow(), noError, pushed);
  stream.destroy();
  more.shift()?.();
  await eventually('the call is left', () => left);
});

test('an error ends the stream with an event that tells it', async () => {
  async function* failing(): AsyncGenerator<StreamNews> {
    yield { kind: 'chunks', chunks: ['{"a":1}', '{"b":2}'] };
    throw new Error('lost');
  }
  const stream = toEventStream(failing(), (error) => ({ error: (error as Error).message }), pushed);
  expect(Buffer.concat(await stream.toArray()).toString()).toBe(
    'data: {"a":1}\n\ndata: {"b":2}\n\ndata: {"error":"lost"}\n\n',
  );
});

test('streams of one tenant that are not read take bounded memory together: the one with most is cut off', async () => {
  const bytes = new UnreadBytes(() => undefined);
  const [mallory, alice] = [counting(bytes, 'mallory'), counting(bytes, 'alice')];
  const open = Array.from({ length: 300 }, () => new Readable({ read: () => undefined }));
  const other = new Readable({ read: () => undefined });
  const held = (): number => open.reduce((sum, stream) => sum + (stream.destroyed ? 0 : stream.readableLength), 0);
  for (let round = 0; round < 16; round++) {
    for (const stream of open) {
      if (stream.destroyed) continue;
      stream.push('x'.repeat(65_536));
      mallory(stream);
      expect(held()).toBeLessThanOrEqual(bounds.unreadPerTenantBytesMax + 65_536);
    }
    other.push('x'.repeat(65_536));
    alice(other);
  }
  expect(other.destroyed).toBe(false);
  expect(open.some(({ destroyed }) => destroyed)).toBe(true);
  expect(open.every(({ destroyed }) => destroyed)).toBe(false);
});
