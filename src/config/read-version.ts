import { readFileSync } from 'node:fs';
import { EyrieError } from '../domain/errors.js';

/** From `src/` (tests) and from `dist/src/` (programs) the package root is two or three folders up. */
const candidates = ['../../package.json', '../../../package.json'];

/** The version that a package.json gives, when it is there and ours. */
function versionIn(path: string): string | null {
  try {
    const found: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
    const { name, version } = found as { readonly name?: unknown; readonly version?: unknown };
    return name === 'eyrie' && typeof version === 'string' ? version : null;
  } catch {
    return null;
  }
}

/** The version of this installation, as its package.json says: the only place where it is written. Throws `config_invalid`. */
export function readVersion(): string {
  for (const path of candidates) {
    const version = versionIn(path);
    if (version !== null) return version;
  }
  throw new EyrieError(
    'config_invalid',
    'The package.json of Eyrie, which says its version, was not found beside the programs. Install the whole folder again.',
  );
}
