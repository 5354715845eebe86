import { z } from 'zod';
import { addPart } from '../../app/uploads/add-part.js';
import { beginUpload } from '../../app/uploads/begin-upload.js';
import { cancelUpload } from '../../app/uploads/cancel-upload.js';
import { PartRoom } from '../../app/uploads/part-room.js';
import { completeUpload } from '../../app/uploads/complete-upload.js';
import { Turns } from '../../app/uploads/turns.js';
import type { FilesQuota } from '../../app/quotas/files-quota.js';
import type { World } from '../../app/world.js';
import {
  completeUploadRequest,
  createUploadRequest,
  uploadObject,
  uploadPartObject,
} from '../../contract/upload-object.js';
import { bounds } from '../../domain/bounds.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { retryHeader, toRetryCount } from '../retry-count.js';
import { readUploadForm, type FormShape } from '../upload-form.js';

const partForm: FormShape = {
  file: 'data',
  fileBytesMax: bounds.uploadPartBytesMax,
  fileBound: 'uploadPartBytesMax',
  fields: [],
};

/** Files sent in parts: parallel, in any order, each repeatable by itself. */
export function uploadRoutes(world: World, quota: FilesQuota): ApiRoute[] {
  // Each joins the parts anew, and those bytes are not counted before there is a file: many at once would be past the quota.
  const completions = new Turns();
  const room = new PartRoom(world);
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/uploads',
      summary: 'Begin an upload in parts',
      access: 'files:write',
      share: 'changes',
      body: createUploadRequest,
      answer: uploadObject,
      handle: async ({ tenant, body }) => {
        await quota.check(tenant, body.bytes);
        // The file counts from here on: a completion is never refused for it.
        return quota.taking(tenant, 0, () => beginUpload(world, tenant, body));
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/uploads/:upload_id/parts',
      summary: 'Send one part',
      access: 'files:write',
      share: 'uploads',
      headers: z.object(retryHeader),
      form: { file: 'data', fields: z.strictObject({}) },
      answer: uploadPartObject,
      handle: ({ tenant, params, headers, request }) =>
        readUploadForm(request, partForm, (part) =>
          quota.metered(tenant, 'part', part.content, (content) =>
            addPart(world, room, {
              tenant,
              uploadId: params['upload_id'] ?? '',
              content,
              isRepeat: toRetryCount(headers['X-Stainless-Retry-Count']) > 0,
              finish: part.fields,
            }),
          ),
        ),
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/uploads/:upload_id/complete',
      summary: 'Join the parts into a file',
      access: 'files:write',
      share: 'uploads',
      body: completeUploadRequest,
      answer: uploadObject,
      handle: ({ tenant, params, body }) => {
        const uploadId = params['upload_id'] ?? '';
        return completions.take(`${tenant} ${uploadId}`, () => completeUpload(world, tenant, uploadId, body));
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/v1/uploads/:upload_id/cancel',
      summary: 'Give an upload up',
      access: 'files:write',
      share: 'changes',
      answer: uploadObject,
      handle: ({ tenant, params }) => cancelUpload(world, tenant, params['upload_id'] ?? ''),
    }),
  ];
}
