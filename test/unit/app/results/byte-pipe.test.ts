import { expect, test } from 'vitest';
import { BytePipe } from '../../../../src/app/results/byte-pipe.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function read(pipe: BytePipe): Promise<string> {
  let text = '';
  for await (const chunk of pipe) text += Buffer.from(chunk).toString();
  return text;
}

const isDone = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol('pending');
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(() => resolve(pending)))])) !== pending;
};

test('what is written is read in order, and the writer waits for the reader', async () => {
  const pipe = new BytePipe(4);
  await pipe.write(bytes('abc'));
  await pipe.write(bytes('defg'));
  const waiting = pipe.write(bytes('h'));
  expect(await isDone(waiting)).toBe(false);
  const reading = read(pipe);
  await waiting;
  await pipe.write(bytes(''));
  pipe.end();
  expect(await reading).toBe('abcdefgh');
});

test('a failure of the writer is the error of the reader, in place of what is unread', async () => {
  const pipe = new BytePipe(100);
  const failure = new Error('a part is missing');
  await pipe.write(bytes('half'));
  pipe.fail(failure);
  await expect(read(pipe)).rejects.toBe(failure);
});

test('a reader that has gone is the error of the writer, also of one that waits', async () => {
  const pipe = new BytePipe(1);
  const failure = new Error('the store is away');
  await pipe.write(bytes('a'));
  const waiting = pipe.write(bytes('b'));
  pipe.leave(failure);
  await expect(waiting).rejects.toBe(failure);
  await expect(pipe.write(bytes('c'))).rejects.toBe(failure);
});

test('a reader that breaks off lets no writer wait', async () => {
  const pipe = new BytePipe(1);
  await pipe.write(bytes('a'));
  const waiting = pipe.write(bytes('b'));
  for await (const _chunk of pipe) break;
  await expect(waiting.then(() => pipe.write(bytes('c')))).rejects.toThrow('left before its end');
});
