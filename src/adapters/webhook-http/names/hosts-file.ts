import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

/** Whether the file has changed is asked this often at most. */
const freshMs = 1000;

/** Addresses by name, in the file's order. Lines that are not understood are skipped, as the system does. */
export function parseHosts(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const known = found.get(name.toLowerCase());
      if (known) known.push(address);
      else found.set(name.toLowerCase(), [address]);
    }
  }
  return found;
}

/** The names of the machine and of containers beside it, which no name server knows. The file is read again when it has changed. */
export class HostsFile {
  readonly #path: string;
  #lookedMs = -Infinity;
  #version = '';
  #hosts = new Map<string, string[]>();

  constructor(path = '/etc/hosts') {
    this.#path = path;
  }

  /** Addresses of a name; empty: the file does not know it. */
  async addresses(name: string): Promise<readonly string[]> {
    const now = performance.now();
    if (now - this.#lookedMs >= freshMs) {
      this.#lookedMs = now;
      await this.#refresh();
    }
    return this.#hosts.get(name.toLowerCase()) ?? [];
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.#version) return;
      this.#hosts = parseHosts(await readFile(this.#path, 'utf8'));
      this.#version = version;
    } catch {
      // No such file, or it is not readable: then it names nobody.
      this.#hosts = new Map();
      this.#version = '';
    }
  }
}
