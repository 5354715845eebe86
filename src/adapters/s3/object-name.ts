import { EyrieError } from '../../domain/errors.js';

const nameBytesMax = 1024;

/** The name in the bucket of a key. The same keys are refused as by a folder, since some S3 servers keep objects in one. */
export function toObjectName(prefix: string, key: string): string {
  const name = prefix + key;
  const wrong = key.split('/').some((segment) => segment === '' || segment === '.' || segment === '..');
  if (!wrong && !key.includes('\0') && Buffer.byteLength(name) <= nameBytesMax) return name;
  throw new EyrieError(
    'invalid_value',
    `Invalid object key ${JSON.stringify(key.slice(0, 80))}. Keys are segments joined by '/', none of them empty, '.' or '..', at most ${nameBytesMax} bytes with the prefix.`,
    { param: 'key' },
  );
}

/** A prefix for all names: without a slash in front, with one at its end. */
export function toPrefix(text: string): string {
  const inner = text.replace(/^\/+|\/+$/g, '');
  return inner === '' ? '' : `${inner}/`;
}
