import type { Attack } from './attack.js';
import { batchAttacks } from './batches.js';
import { inboxAttacks } from './inbox.js';
import { jsonAttacks } from './json-bodies.js';
import { limitAttacks } from './limits.js';
import { liveAttacks } from './live-calls.js';
import { manyThings } from './many-things.js';
import { readAttacks } from './reads.js';
import { receiverAttacks } from './receivers.js';
import { socketAttacks } from './sockets.js';

export const attacks: readonly Attack[] = [
  ...jsonAttacks,
  ...batchAttacks,
  ...socketAttacks,
  ...receiverAttacks,
  ...liveAttacks,
  ...inboxAttacks,
  ...limitAttacks,
  ...readAttacks,
  ...manyThings,
];

/** Kinds of which others are made in a short run, too: these are left to a long one. */
export const longRunsOnly: ReadonlySet<string> = new Set([
  'batches of 50,000 wrong lines',
  'cancel and retry storm',
  '260 downloads read by the byte',
  'connections opened and closed',
  'upgrades, expectations and odd methods',
  '50 endpoints that answer a byte a second',
  'endpoints made, turned and deleted',
  'new grammars of other kinds',
  'large logit_bias and stop',
  'live calls whose clients leave at once',
  'thousands of drops',
  'results in a loop',
  'keys that nobody has',
  'OPTIONS, HEAD, long paths and queries',
  'uploads of many parts',
  'forms of many fields',
  'files without end, and lists that pass over them',
  'large batches that are cancelled at once',
]);
