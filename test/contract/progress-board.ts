import { afterEach, describe, expect, it } from 'vitest';
import type { ProgressBoard, ShardProgress, WorkerReport } from '../../src/ports/progress-board.js';

export interface ProgressHarness {
  readonly board: ProgressBoard;
  readonly speedTtlMs: number;
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const counts = (completed: number, failed: number): ShardProgress => ({
  completed,
  failed,
  inputTokens: 10 * completed,
  outputTokens: completed,
});
const report = (tokensPerSecond: number): WorkerReport => ({ tokensPerSecond, slots: 32, prefillTokens: 512 });

export function describeProgressBoard(name: string, open: () => ProgressHarness): void {
  describe(`${name} as ProgressBoard`, () => {
    let harness: ProgressHarness;
    afterEach(() => harness.close());

    it('counts each shard once and keeps batches apart', async () => {
      const { board } = (harness = open());
      expect(await board.record('batch_a', 0, counts(60, 4))).toBe(1);
      expect(await board.record('batch_a', 12, counts(64, 0))).toBe(2);
      expect(await board.record('batch_a', 0, counts(60, 4))).toBe(2);
      expect(await board.record('batch_b', 5, counts(1, 0))).toBe(1);
      expect(await board.read('batch_a')).toEqual(
        new Map([
          [0, counts(60, 4)],
          [12, counts(64, 0)],
        ]),
      );
    });

    it('gives every shard of a batch of thousands', async () => {
      const { board } = (harness = open());
      const shards = Array.from({ length: 3000 }, (_, n) => n);
      await Promise.all(shards.map((n) => board.record('batch_a', n, counts(n, 1))));
      const found = await board.read('batch_a');
      expect([...found].toSorted(([a], [b]) => a - b)).toEqual(shards.map((n) => [n, counts(n, 1)]));
    });

    it('knows nothing of a batch that was forgotten or never recorded', async () => {
      const { board } = (harness = open());
      await board.record('batch_a', 0, counts(1, 0));
      await board.forget('batch_a');
      await board.forget('batch_z');
      expect(await board.read('batch_a')).toEqual(new Map());
    });

    it('gives the mean speed of the workers that told one lately', async () => {
      const { board, speedTtlMs, pass } = (harness = open());
      expect(await board.meanSpeed()).toBe(0);
      await board.reportWorker('w1', report(100));
      await board.reportWorker('w2', report(300));
      await board.reportWorker('w2', report(200));
      expect(await board.meanSpeed()).toBe(150);
      await pass(speedTtlMs + 50);
      await board.reportWorker('w1', report(80));
      expect(await board.meanSpeed()).toBe(80);
      await pass(speedTtlMs + 50);
      expect(await board.meanSpeed()).toBe(0);
    });

    it('shows the workers of late, and remembers the last one', async () => {
      const { board, speedTtlMs, pass } = (harness = open());
      expect(await board.fleet()).toEqual({ workers: [], lastKnown: null, work: new Map() });
      await board.reportWorker('w1', report(100));
      await board.reportWorker('w2', report(300));
      const { workers, lastKnown } = await board.fleet();
      expect(workers.map(({ tokensPerSecond }) => tokensPerSecond).toSorted((a, b) => a - b)).toEqual([100, 300]);
      expect(lastKnown).toEqual(report(300));
      await pass(speedTtlMs + 50);
      expect(await board.fleet()).toMatchObject({ workers: [], lastKnown: report(300) });
    });

    it('keeps the open work of each batch until it is forgotten', async () => {
      const { board } = (harness = open());
      await board.noteWork('batch_a', { tokens: 500, first: 0, last: 12.5 });
      await board.noteWork('batch_b', { tokens: 7, first: 3, last: 3 });
      await board.noteWork('batch_a', { tokens: 400, first: 1.25, last: 12.5 });
      await board.forget('batch_b');
      expect((await board.fleet()).work).toEqual(new Map([['batch_a', { tokens: 400, first: 1.25, last: 12.5 }]]));
    });
  });
}
