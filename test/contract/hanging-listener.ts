import { openBullmq } from '../../src/adapters/bullmq/open-bullmq.js';
import { MemoryLog } from '../support/memory-log.js';
import type { RedisConnection } from './redis.js';

// A process that listens to a topic until it is killed. Arguments: connection as JSON, topic.
const [connection = '{}', topic = ''] = process.argv.slice(2);
const { live } = openBullmq({ ...(JSON.parse(connection) as RedisConnection), log: new MemoryLog() });
await live.listen(topic, { onMessage: () => undefined, onLost: () => undefined });
process.stdout.write('listening\n');
