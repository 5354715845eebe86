import { AesSealer } from '../../src/adapters/aes-sealer/aes-sealer.js';
import type { EgressRules } from '../../src/ports/egress-rules.js';

/** The real one, under a key of the tests. */
export const testSealer = new AesSealer([{ version: 1, bytes: new Uint8Array(32).fill(9) }]);

/** Lets everything pass but hosts that are called `private.…`. */
export class FakeEgress implements EgressRules {
  refusalOf(_tenant: string, url: string): Promise<string | null> {
    return Promise.resolve(new URL(url).hostname.startsWith('private.') ? 'address not allowed' : null);
  }
}
