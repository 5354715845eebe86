import { submitObject } from '../../contract/stored-objects.js';
import { isId } from '../../domain/ids.js';
import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { getJson } from '../stored-json.js';

/** Batches looked up at once. */
const readsMax = 32;

/** Which inputs batches that have not ended still read. Looked up per tenant, when first asked, once for all who ask. */
export class InputsInUse {
  readonly #store: ObjectStore;
  readonly #byTenant = new Map<string, Promise<ReadonlySet<string>>>();
  /** The input of each batch that was met: what was accepted never changes. */
  readonly #inputOf = new Map<string, string | null>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async has(tenant: string, contentKey: string): Promise<boolean> {
    let inUse = this.#byTenant.get(tenant);
    if (!inUse) {
      inUse = this.#read(tenant);
      this.#byTenant.set(tenant, inUse);
    }
    return (await inUse).has(contentKey);
  }

  /** What is asked of the tenant from here on is looked up anew. */
  renew(tenant: string): void {
    this.#byTenant.delete(tenant);
  }

  async #read(tenant: string): Promise<ReadonlySet<string>> {
    const inUse = new Set<string>();
    const prefix = keys.openBatchesOf(tenant);
    let after: string | null = null;
    do {
      const page = await this.#store.list(prefix, after === null ? {} : { after });
      for (let at = 0; at < page.objects.length; at += readsMax) {
        const batchIds = page.objects.slice(at, at + readsMax).map(({ key }) => key.slice(prefix.length));
        for (const input of await Promise.all(batchIds.map((batchId) => this.#input(tenant, batchId))))
          if (input !== null) inUse.add(input);
      }
      after = page.next;
    } while (after !== null);
    return inUse;
  }

  async #input(tenant: string, batchId: string): Promise<string | null> {
    const known = this.#inputOf.get(batchId);
    if (known !== undefined) return known;
    const submit = isId('batch', batchId)
      ? await getJson(this.#store, keys.submit(tenant, batchId), submitObject)
      : null;
    // A marker without a record: that may still come.
    if (!submit) return null;
    const input = submit.input?.key ?? null;
    this.#inputOf.set(batchId, input);
    return input;
  }
}
