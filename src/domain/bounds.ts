import { batchesBounds } from './bounds/batches.js';
import { filesBounds } from './bounds/files.js';
import { httpBounds } from './bounds/http.js';
import { inboxesBounds } from './bounds/inboxes.js';
import { liveBounds } from './bounds/live.js';
import { modelsBounds } from './bounds/models.js';
import { queueAndStoreBounds } from './bounds/queue-and-store.js';
import { requestsBounds } from './bounds/requests.js';
import { tenantsBounds } from './bounds/tenants.js';
import { webhooksBounds } from './bounds/webhooks.js';

/**
 * Every limit of the service, by subject. A limit names its unit in its suffix (Bytes, Ms, Max); where it comes from is said
 * beside it. Programs may lower or raise some of them through their config, never by another constant.
 */
export const bounds = Object.freeze({
  ...requestsBounds,
  ...liveBounds,
  ...batchesBounds,
  ...queueAndStoreBounds,
  ...inboxesBounds,
  ...filesBounds,
  ...webhooksBounds,
  ...httpBounds,
  ...modelsBounds,
  ...tenantsBounds,
});

export type BoundName = keyof typeof bounds;
