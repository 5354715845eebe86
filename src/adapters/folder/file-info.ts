import { randomInt } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { ObjectInfo } from '../../ports/object-store.js';

/**
 * An object's ETag is its size and its modification time in ns. It needs no record beside the file, so files that users drop have
 * one too, and `cp -a`, `tar` and `rsync -a` carry it along: a restored data folder does not make every dropped file a new one,
 * as an ETag with the inode in it would. It changes with every write because our own writes get a time of their own
 * (`uniqueMtime`); the kernel's would be the same for all writes within one clock tick.
 */
export function toInfo(key: string, stats: BigIntStats): ObjectInfo {
  return {
    key,
    bytes: Number(stats.size),
    etag: `${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`,
    modifiedMs: Number(stats.mtimeNs / 1_000_000n),
  };
}

// Node rounds times down to a µs after a conversion to floating point that is off by less than that; 4 µs stay apart.
const stepUs = 4;
let lastUs = 0;

/** A modification time in seconds that no other write of this process has, and that another process is unlikely to have. */
export function uniqueMtime(): number {
  const nowUs = Date.now() * 1000 + randomInt(1000 / stepUs) * stepUs;
  lastUs = Math.max(nowUs, lastUs + stepUs);
  return (lastUs + stepUs / 2) / 1e6;
}
