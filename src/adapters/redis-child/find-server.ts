import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { EyrieError } from '../../domain/errors.js';

async function findProgram(name: string, searchPath: string): Promise<string | null> {
  for (const folder of searchPath.split(path.delimiter)) {
    if (folder === '') continue;
    const file = path.join(folder, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // not here
    }
  }
  return null;
}

/** The Redis or Valkey server on the search path. Throws `redis_missing`. */
export async function findServer(searchPath: string): Promise<string> {
  const found = (await findProgram('redis-server', searchPath)) ?? (await findProgram('valkey-server', searchPath));
  if (found !== null) return found;
  throw new EyrieError(
    'redis_missing',
    'Neither redis-server nor valkey-server is on the PATH. Install one (Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install valkey; macOS: brew install redis), or name a running server by its URL.',
  );
}

export const findSetpriv = (searchPath: string): Promise<string | null> => findProgram('setpriv', searchPath);
