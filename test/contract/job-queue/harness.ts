import { afterEach } from 'vitest';
import type { Consumer, JobHandler, JobKind, JobQueue } from '../../../src/ports/job-queue.js';

/** A queue under test. Times are short in the real one and fake in the other, so the suite waits for conditions only. */
export interface QueueHarness {
  readonly queue: JobQueue;
  /** Lets time pass until the condition holds. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  /** Lets this much time pass. */
  pass(ms: number): Promise<void>;
  /** Unix ms of the queue's clock. */
  now(): number;
  /** Another process that takes one job and holds it, to be killed by `kill -9`. Resolves when it may take jobs. */
  startHangingProcess(kind: JobKind): Promise<{ kill(): Promise<void> }>;
  close(): Promise<void>;
}

/** First retry delay of the queues under test, in ms. */
export const retryDelayMs = 100;

export const done: JobHandler = () => Promise.resolve();

/** A handler that holds its jobs until they are let go or aborted. */
export function gate(): { handler: JobHandler; open: () => void; reasons: unknown[] } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reasons: unknown[] = [];
  const handler: JobHandler = (_job, signal) =>
    Promise.race([
      opened,
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(new Error('aborted'));
        });
      }),
    ]);
  return { handler, open, reasons };
}

export interface QueueSuite {
  /** Opens the queue of a test; it is closed after it. */
  start(): Promise<QueueHarness>;
  /** A consumer that is closed after the test. */
  consume(kind: JobKind, concurrency: number, handler: JobHandler): Consumer;
  /** Closes a consumer after the test. */
  keep(consumer: Consumer): Consumer;
  emptied(kind: JobKind): Promise<boolean>;
}

/** What the tests of one `describe` use. */
export function queueSuite(open: () => Promise<QueueHarness>): QueueSuite {
  let harness: QueueHarness;
  const consumers: Consumer[] = [];
  const keep = (consumer: Consumer): Consumer => {
    consumers.push(consumer);
    return consumer;
  };
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.close(0)));
    await harness.close();
  });
  return {
    start: async () => (harness = await open()),
    consume: (kind, concurrency, handler) => keep(harness.queue.consume(kind, { concurrency }, handler)),
    keep,
    emptied: async (kind) => {
      const { waiting, active, delayed } = await harness.queue.backlog(kind);
      return waiting + active + delayed === 0;
    },
  };
}
