import { openRedis } from '../../../src/compose/open-redis.js';
import { runProgram } from '../../../src/compose/run-program.js';
import { MemoryLog } from '../../support/memory-log.js';

// A program that needs nothing but Redis. Argument: its URL.
await runProgram('example', async (_end, fail) => {
  const settings = {
    EYRIE_REDIS_URL: process.argv[2] ?? '',
    EYRIE_REDIS_ALLOW_EVICTION: false,
    EYRIE_LOCK_MS: 60_000,
    EYRIE_STALLED_CHECK_MS: 15_000,
  };
  const bull = await openRedis(settings, new MemoryLog(), fail);
  process.stdout.write('started\n');
  const alive = setInterval(() => undefined, 60_000);
  return async () => {
    clearInterval(alive);
    await bull.close();
    process.stdout.write('stopped\n');
  };
});
