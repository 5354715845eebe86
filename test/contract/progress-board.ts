import { afterEach, describe, expect, it } from 'vitest';
import type { ProgressBoard } from '../../src/ports/progress-board.js';

export interface ProgressHarness {
  readonly board: ProgressBoard;
  readonly speedTtlMs: number;
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

export function describeProgressBoard(name: string, open: () => ProgressHarness): void {
  describe(`${name} as ProgressBoard`, () => {
    let harness: ProgressHarness;
    afterEach(() => harness.close());

    it('counts each shard once and keeps batches apart', async () => {
      const { board } = (harness = open());
      expect(await board.record('batch_a', 0, { completed: 60, failed: 4 })).toBe(1);
      expect(await board.record('batch_a', 12, { completed: 64, failed: 0 })).toBe(2);
      expect(await board.record('batch_a', 0, { completed: 60, failed: 4 })).toBe(2);
      expect(await board.record('batch_b', 5, { completed: 1, failed: 0 })).toBe(1);
      expect(await board.read('batch_a')).toEqual(
        new Map([
          [0, { completed: 60, failed: 4 }],
          [12, { completed: 64, failed: 0 }],
        ]),
      );
    });

    it('knows nothing of a batch that was forgotten or never recorded', async () => {
      const { board } = (harness = open());
      await board.record('batch_a', 0, { completed: 1, failed: 0 });
      await board.forget('batch_a');
      await board.forget('batch_z');
      expect(await board.read('batch_a')).toEqual(new Map());
    });

    it('gives the mean speed of the workers that told one lately', async () => {
      const { board, speedTtlMs, pass } = (harness = open());
      expect(await board.meanSpeed()).toBe(0);
      await board.reportSpeed('w1', 100);
      await board.reportSpeed('w2', 300);
      await board.reportSpeed('w2', 200);
      expect(await board.meanSpeed()).toBe(150);
      await pass(speedTtlMs + 50);
      await board.reportSpeed('w1', 80);
      expect(await board.meanSpeed()).toBe(80);
      await pass(speedTtlMs + 50);
      expect(await board.meanSpeed()).toBe(0);
    });
  });
}
