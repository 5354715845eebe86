import type { Attack } from './attack.js';
import { batchAttacks } from './batches.js';
import { inboxAttacks } from './inbox.js';
import { jsonAttacks } from './json-bodies.js';
import { limitAttacks } from './limits.js';
import { liveAttacks } from './live-calls.js';
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
];
