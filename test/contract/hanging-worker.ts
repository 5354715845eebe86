import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { jobKinds } from '../../src/ports/job-queue.js';
import { MemoryLog } from '../support/memory-log.js';
import type { RedisConnection } from './redis.js';

// A process that takes one job and holds it until it is killed. Arguments: connection as JSON, kind.
const [connection = '{}', kindName] = process.argv.slice(2);
const kind = jobKinds.find((known) => known === kindName);
if (!kind) throw new Error(`No such kind of job: ${kindName}`);
const { queue } = openBullmq({ ...(JSON.parse(connection) as RedisConnection), log: new MemoryLog() });
queue.consume(kind, { concurrency: 1 }, () => new Promise(() => undefined));
process.stdout.write('started\n');
