import { expect, test } from 'vitest';
import type { LiveNews } from '../../../src/app/live/call-worker.js';
import { bounds } from '../../../src/domain/bounds.js';
import { toEventStream } from '../../../src/http/event-stream.js';
import { eventually } from '../../support/eventually.js';

const noError = (): object => ({});

test('a reader that does not read is cut off, and the call given up', async () => {
  let left = false;
  let made = 0;
  async function* endless(): AsyncGenerator<LiveNews> {
    try {
      for (;;) {
        made += 65_536;
        yield { kind: 'chunks', chunks: ['x'.repeat(65_536)] };
      }
    } finally {
      left = true;
    }
  }
  const stream = toEventStream(endless(), noError);
  await eventually('the call is left', () => left);
  expect(stream.destroyed).toBe(true);
  expect(made).toBeGreaterThan(bounds.liveUnreadBytesMax);
  expect(made).toBeLessThan(bounds.liveUnreadBytesMax * 2);
});

test('a reader that has gone ends the call at its next news', async () => {
  let left = false;
  const more: (() => void)[] = [];
  async function* slow(): AsyncGenerator<LiveNews> {
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
  const stream = toEventStream(slow(), noError);
  stream.destroy();
  more.shift()?.();
  await eventually('the call is left', () => left);
});

test('an error ends the stream with an event that tells it', async () => {
  async function* failing(): AsyncGenerator<LiveNews> {
    yield { kind: 'chunks', chunks: ['{"a":1}', '{"b":2}'] };
    throw new Error('lost');
  }
  const stream = toEventStream(failing(), (error) => ({ error: (error as Error).message }));
  expect(Buffer.concat(await stream.toArray()).toString()).toBe(
    'data: {"a":1}\n\ndata: {"b":2}\n\ndata: {"error":"lost"}\n\n',
  );
});
