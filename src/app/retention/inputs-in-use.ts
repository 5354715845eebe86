import { submitObject } from '../../contract/stored-objects.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { getJson } from '../stored-json.js';

/** Which inputs batches that have not ended still read. Looked up once per tenant, when first asked. */
export class InputsInUse {
  readonly #store: ObjectStore;
  readonly #byTenant = new Map<string, ReadonlySet<string>>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async has(tenant: string, contentKey: string): Promise<boolean> {
    let inUse = this.#byTenant.get(tenant);
    if (!inUse) {
      inUse = await this.#read(tenant);
      this.#byTenant.set(tenant, inUse);
    }
    return inUse.has(contentKey);
  }

  async #read(tenant: string): Promise<ReadonlySet<string>> {
    const inUse = new Set<string>();
    const prefix = keys.openBatchesOf(tenant);
    let after: string | null = null;
    do {
      const page = await this.#store.list(prefix, after === null ? {} : { after });
      for (const { key } of page.objects) {
        const batchId = key.slice(prefix.length);
        if (!isId('batch', batchId)) continue;
        const submit = await getJson(this.#store, keys.submit(tenant, batchId), submitObject);
        if (submit?.input) inUse.add(submit.input.key);
      }
      after = page.next;
    } while (after !== null);
    return inUse;
  }
}
