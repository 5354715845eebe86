import { startRedisChild } from '../../../../src/adapters/redis-child/redis-child.js';

// A process with a private Redis, to be killed. Prints the URL. Argument: the folder.
const redis = await startRedisChild({ folder: process.argv[2] ?? '', searchPath: process.env['PATH'] ?? '' });
process.stdout.write(`${redis.url}\n`);
setInterval(() => undefined, 60_000);
