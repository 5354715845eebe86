import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { EyrieError } from '../../domain/errors.js';
import type { NativeAddon } from './native-types.js';

/** From `src/` (tests) and from `dist/src/` (programs) the package root is three or four folders up. */
const FROM_HERE = ['../../../native/build/eyrie_native.node', '../../../../native/build/eyrie_native.node'];

/** The addon's file: the one named by `EYRIE_NATIVE_ADDON`, else `native/build/eyrie_native.node`. Throws `unsupported_device`. */
export function findAddon(): string {
  const named = process.env['EYRIE_NATIVE_ADDON'];
  const paths = named ? [named] : FROM_HERE.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) {
    throw new EyrieError(
      'unsupported_device',
      `The native engine is not built (looked for ${paths.join(' and ')}). Run \`npm run build:native\`.`,
    );
  }
  return found;
}

/** The native addon. Throws `unsupported_device` when there is none or it does not load here. */
export function loadAddon(): NativeAddon {
  const found = findAddon();
  try {
    return createRequire(import.meta.url)(found) as NativeAddon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EyrieError(
      'unsupported_device',
      `The native engine at ${found} does not load: ${reason}. Build it on this machine: \`npm run build:native\`.`,
      { cause },
    );
  }
}
