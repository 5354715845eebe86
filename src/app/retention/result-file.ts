import type { ManifestObject } from '../../contract/stored-objects.js';
import { findFile } from '../files/find-file.js';
import type { World } from '../world.js';

/** The file with which the parts of an ended batch live and go: that of the answers, or of the errors when there are none. */
export const keepsParts = (manifest: ManifestObject): ManifestObject['output'] => manifest.output ?? manifest.errors;

/** Whether the results of an ended batch can still be read. */
export async function hasResults(
  world: Pick<World, 'store' | 'clock'>,
  tenant: string,
  manifest: ManifestObject,
): Promise<boolean> {
  const file = keepsParts(manifest);
  return file === null || (await findFile(world, tenant, file.fileId)) !== null;
}
