import { setTimeout as sleep } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { openBullmq, type OpenQueue } from '../../src/adapters/bullmq/open-bullmq.js';
import type { QueueSettings } from '../../src/adapters/bullmq/queue-settings.js';
import type { RedisTls } from '../../src/adapters/bullmq/redis/redis-target.js';
import { ChildScript } from '../support/child-script.js';
import { eventually } from '../support/eventually.js';
import { MemoryLog } from '../support/memory-log.js';
import { describeJobQueue } from './job-queue/describe-job-queue.js';
import { retryDelayMs, type QueueHarness } from './job-queue/harness.js';
import { describeLiveChannel } from './live-channel.js';
import { describeProgressBoard } from './progress-board.js';
import { describeSharedState } from './shared-state.js';

/** How to reach it; JSON, so that it can be handed to another process. */
export interface RedisConnection {
  readonly redisUrl: string;
  readonly tls?: RedisTls;
  readonly settings?: Partial<QueueSettings>;
}

/** A Redis under test: one server, or several that are one together. */
export interface RedisUnderTest {
  readonly connection: RedisConnection;
  /** Each server that listeners may be connected to, as an administrator. */
  readonly servers: readonly RedisOptions[];
}

let runs = 0;

/** Each test has keys of its own on the shared server. In a cluster they lie on another node each time. */
const nextSettings = () => ({
  prefix: `{eyrie-${runs++}}`,
  lockMs: 1000,
  stalledCheckMs: 300,
  retryDelayMs,
  speedTtlMs: 200,
  livePresenceTtlMs: 1500,
});

export async function asAdmin<T>(server: RedisOptions, act: (admin: Redis) => Promise<T>): Promise<T> {
  const admin = new Redis(server);
  try {
    return await act(admin);
  } finally {
    admin.disconnect();
  }
}

/** All contracts that Redis keeps. */
export function describeRedis(name: string, redis: () => RedisUnderTest): void {
  const open = (settings: Partial<QueueSettings>): OpenQueue =>
    openBullmq({ ...redis().connection, log: new MemoryLog(), settings });
  const startProcess = async (
    script: string,
    settings: Partial<QueueSettings>,
    argument: string,
  ): Promise<ChildScript> => {
    const connection = JSON.stringify({ ...redis().connection, settings });
    const child = new ChildScript(new URL(script, import.meta.url), [connection, argument]);
    await child.line();
    return child;
  };

  const openQueue = (): Promise<QueueHarness> => {
    const settings = nextSettings();
    const opened = open(settings);
    return Promise.resolve({
      queue: opened.queue,
      until: eventually,
      pass: (ms) => sleep(ms),
      now: () => Date.now(),
      startHangingProcess: (kind) => startProcess('./hanging-worker.ts', settings, kind),
      close: () => opened.close(),
    });
  };
  describeJobQueue(`BullMQ on ${name}`, openQueue);

  describeProgressBoard(name, () => {
    const settings = nextSettings();
    const opened = open(settings);
    return {
      board: opened.progress,
      speedTtlMs: settings.speedTtlMs,
      pass: (ms) => sleep(ms),
      close: () => opened.close(),
    };
  });

  describeLiveChannel(name, () => {
    const settings = nextSettings();
    const [here, there] = [open(settings), open(settings)];
    return {
      channel: here.live,
      other: there.live,
      until: eventually,
      breakConnections: async () => {
        for (const server of redis().servers) await asAdmin(server, (admin) => admin.client('KILL', 'TYPE', 'pubsub'));
      },
      startHangingListener: (topic) => startProcess('./hanging-listener.ts', settings, topic),
      close: async () => {
        await Promise.all([here.close(), there.close()]);
      },
    };
  });
  describeSharedState(name, () => {
    const settings = nextSettings();
    const [here, there] = [open(settings), open(settings)];
    return {
      here: here.shared,
      there: there.shared,
      pass: (ms) => sleep(ms),
      close: async () => {
        await Promise.all([here.close(), there.close()]);
      },
    };
  });
}
