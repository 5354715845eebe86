import type { FileObject } from '../../contract/file-object.js';
import { errorCode } from '../../domain/errors.js';
import { bounds } from '../../domain/bounds.js';
import { keys } from '../../domain/object-keys.js';
import { putOnAgenda, takeFromAgenda } from '../retention/agenda.js';
import type { World } from '../world.js';
import { commitFile, type FileDescription } from './commit-file.js';
import { putContent, type DigestedContent } from './content-digest.js';

type FileWriter = Pick<World, 'store' | 'clock' | 'ids' | 'log'>;

export interface NewFile {
  readonly tenant: string;
  /** The bytes as they arrive; throws when the upload is cut off or too large. */
  readonly content: AsyncIterable<Uint8Array>;
  /** What the file is; asked for when the content has ended, because a form may name it behind the content. */
  readonly describe: () => Promise<FileDescription>;
}

/**
 * Stores an upload in one pass. Nothing is seen before all of it is in the store; if the upload fails, its content is removed
 * and the error is thrown on.
 */
export async function storeFile(world: FileWriter, upload: NewFile): Promise<FileObject> {
  const { tenant } = upload;
  const fileId = world.ids.next('file');
  const leftoverMs = world.clock.now() + bounds.uploadLeftoverMs;
  // Should this be cut off for good before there is a file: its content is found by this.
  await putOnAgenda(world.store, leftoverMs, tenant, fileId);
  let content: DigestedContent;
  let description: FileDescription;
  try {
    content = await putContent(world.store, keys.fileContent(tenant, fileId), upload.content);
    description = await upload.describe();
  } catch (error) {
    await discardContent(world, tenant, fileId, leftoverMs);
    world.log.warn('file.upload_discarded', { tenant, fileId, code: errorCode(error) });
    throw error;
  }
  const file = await commitFile(world, tenant, fileId, description, content, world.clock.now());
  await takeFromAgenda(world, leftoverMs, tenant, fileId);
  return file;
}

/** Best effort: content without a file.json is never seen, and the agenda still names it. */
export async function discardContent(
  world: Pick<World, 'store' | 'log'>,
  tenant: string,
  fileId: string,
  leftoverMs: number,
): Promise<void> {
  try {
    await world.store.delete(keys.fileContent(tenant, fileId));
    await world.store.delete(keys.due(leftoverMs, tenant, fileId));
  } catch (error) {
    world.log.warn('file.content_left_behind', { tenant, fileId, code: errorCode(error) });
  }
}
