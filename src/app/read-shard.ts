import { bounds } from '../domain/bounds.js';
import { isBlank, splitJsonl } from '../domain/jsonl-splitter.js';
import type { PlannedShard, SubmitObject } from '../contract/stored-objects.js';
import type { ObjectStore } from '../ports/object-store.js';
import { inputChanged, pinOf } from './input-content.js';
import { ShardDigest } from './shard-digest.js';

/** The counted lines of a shard, as validated; a line over the size limit is null. Throws `input_changed` when they are not the same. */
export async function readShard(
  store: ObjectStore,
  submit: SubmitObject,
  shard: PlannedShard,
): Promise<(Uint8Array | null)[]> {
  const { input } = submit;
  const range = { start: shard.byteStart, end: shard.byteEnd };
  const object = input && (await store.getStream(input.key, { range, ...pinOf(input) }));
  const lines: (Uint8Array | null)[] = [];
  const digest = new ShardDigest();
  if (object)
    for await (const { bytes } of splitJsonl(object.body, bounds.lineBytesMax)) {
      if (bytes && isBlank(bytes)) continue;
      digest.add(bytes);
      lines.push(bytes);
    }
  if (lines.length !== shard.count || digest.hex() !== shard.sha256) throw inputChanged();
  return lines;
}
