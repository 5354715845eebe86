import path from 'node:path';
import { EyrieError } from '../../domain/errors.js';

/** Folder under the root that holds files being written. No key may start with it. */
export const tempFolderName = '.tmp';
/** And one that holds space for removals: see `SpareFiles`. */
export const spareFolderName = '.spare';
export const reservedFolders: readonly string[] = [tempFolderName, spareFolderName];

export const keyBytesMax = 1024;
const segmentBytesMax = 255;

/** What keeps a text from being a key; null when it is one. */
export function flawOf(key: string): string | null {
  if (key === '') return 'it is empty';
  if (Buffer.byteLength(key) > keyBytesMax) return `it is longer than ${keyBytesMax} bytes`;
  if (key.includes('\0')) return 'it holds a NUL character';
  const segments = key.split('/');
  const reserved = reservedFolders.find((name) => name === segments[0]);
  if (reserved !== undefined) return `'${reserved}' is reserved`;
  for (const segment of segments) {
    if (segment === '') return 'it has an empty segment';
    if (segment === '.' || segment === '..') return `it has a '${segment}' segment`;
    if (Buffer.byteLength(segment) > segmentBytesMax) return `a segment is longer than ${segmentBytesMax} bytes`;
  }
  return null;
}

/** The path of a key's file. Throws `invalid_value` for a key that would leave the root or cannot be a path. */
export function toPath(root: string, key: string): string {
  const flaw = flawOf(key);
  if (flaw !== null)
    throw new EyrieError(
      'invalid_value',
      `Invalid object key ${JSON.stringify(key.slice(0, 80))}: ${flaw}. Keys are segments of 1 to ${segmentBytesMax} bytes joined by '/'.`,
      { param: 'key' },
    );
  return path.join(root, key);
}

/**
 * The folder a listing of `prefix` starts in, with the part of the prefix that is no whole folder name. A prefix that could
 * match no key (it holds an empty or dotted segment) gives null.
 */
export function toListingStart(root: string, prefix: string): { folder: string; folderKey: string } | null {
  const folderKey = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (folderKey === '') return { folder: root, folderKey };
  const inner = folderKey.slice(0, -1);
  return flawOf(inner) === null ? { folder: path.join(root, inner), folderKey } : null;
}
