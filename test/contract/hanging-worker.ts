import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { jobKinds } from '../../src/ports/job-queue.js';
import { MemoryLog } from '../support/memory-log.js';

// A process that takes one job and holds it until it is killed. Arguments: Redis URL, kind, settings as JSON.
const [url = '', kindName, settings = '{}'] = process.argv.slice(2);
const kind = jobKinds.find((known) => known === kindName);
if (!kind) throw new Error(`No such kind of job: ${kindName}`);
const { queue } = openBullmq({
  redisUrl: url,
  log: new MemoryLog(),
  settings: JSON.parse(settings) as Record<string, never>,
});
queue.consume(kind, { concurrency: 1 }, () => new Promise(() => undefined));
process.stdout.write('started\n');
