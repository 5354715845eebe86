import { expect, test } from 'vitest';
import { desiredWorkers } from '../../../src/domain/desired-workers.js';

const demand = {
  openShards: 100,
  openCalls: 0,
  callsPerWorker: 32,
  tokensPerShard: 1000,
  tokensPerSecond: 10,
  drainGoalSeconds: 1000,
  workersMin: 0,
  workersMax: 50,
};

test.each([
  ['nothing open', { openShards: 0 }, 0],
  ['nothing open, a minimum', { openShards: 0, workersMin: 2 }, 2],
  ['backlog ÷ speed ÷ goal', {}, 10],
  ['the maximum', { workersMax: 4 }, 4],
  ['nothing measured yet', { tokensPerSecond: 0 }, 1],
  ['one open shard', { openShards: 1 }, 1],
  ['never more than shards', { openShards: 3, drainGoalSeconds: 1 }, 3],
  ['one call that somebody waits for', { openShards: 0, openCalls: 1 }, 1],
  ['more calls than a worker takes', { openShards: 0, openCalls: 65 }, 3],
  ['calls beside a larger backlog', { openCalls: 65 }, 10],
  ['calls beside a smaller backlog', { openShards: 1, openCalls: 65 }, 3],
] as const)('%s', (_, change, expected) => {
  expect(desiredWorkers({ ...demand, ...change })).toBe(expected);
});
