import { FolderStore } from '../adapters/folder/folder-store.js';
import { EyrieError } from '../domain/errors.js';
import type { ObjectStore } from '../ports/object-store.js';

export interface StoreSettings {
  readonly EYRIE_STORE: string;
  readonly EYRIE_S3_ENDPOINT?: string | undefined;
  readonly EYRIE_S3_REGION: string;
}

/** The object store that a program is told to use. */
export async function openStore(settings: StoreSettings): Promise<ObjectStore> {
  const url = settings.EYRIE_STORE;
  if (url.startsWith('folder:')) return FolderStore.open(url.slice('folder:'.length));
  const { hostname: bucket, pathname } = new URL(url);
  if (bucket === '')
    throw new EyrieError('config_invalid', `EYRIE_STORE names no bucket: ${url}.`, { param: 'EYRIE_STORE' });
  // Loaded only where it is used: the AWS client takes a while to start.
  const { S3Store } = await import('../adapters/s3/s3-store.js');
  return new S3Store({
    bucket,
    prefix: pathname.replace(/^\//, ''),
    region: settings.EYRIE_S3_REGION,
    ...(settings.EYRIE_S3_ENDPOINT === undefined ? {} : { endpoint: settings.EYRIE_S3_ENDPOINT }),
  });
}
