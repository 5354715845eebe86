import { describeJobAttempts } from './attempts.js';
import { describeConsumers } from './consumers.js';
import { describeJobFlows } from './flows.js';
import type { QueueHarness } from './harness.js';
import { describeJobs } from './jobs.js';
import { describeJobOrder } from './order.js';

/** All that is asked of a `JobQueue`. */
export function describeJobQueue(name: string, open: () => Promise<QueueHarness>): void {
  describeJobs(name, open);
  describeJobOrder(name, open);
  describeJobAttempts(name, open);
  describeConsumers(name, open);
  describeJobFlows(name, open);
}
