import { InlineBodyReader } from '../../src/domain/inline/inline-body.js';
import type { InlineRequests } from '../../src/domain/inline/inline-requests.js';

/** Requests as the API takes them out of a body. */
export function inlineRequests(requests: readonly object[]): InlineRequests {
  const list = new InlineBodyReader(Buffer.from(JSON.stringify({ requests }))).step(Infinity)?.lists[0];
  if (!list) throw new Error('No requests.');
  return list;
}
