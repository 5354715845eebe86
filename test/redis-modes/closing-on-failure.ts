import type { RedisProcess } from '../support/redis-process.js';

/** Starts several processes that belong together. When one step fails, those already started are killed. */
export async function closingOnFailure<T>(
  start: (started: RedisProcess[]) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const started: RedisProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.kill()));
  };
  try {
    return { ...(await start(started)), close };
  } catch (error) {
    await close();
    throw error;
  }
}
