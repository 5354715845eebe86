import type { z } from 'zod';
import { deleteFile } from '../../app/files/delete-file.js';
import { listFiles } from '../../app/files/list-files.js';
import { storeFile } from '../../app/files/store-file.js';
import { viewFile } from '../../app/files/view-file.js';
import type { FilesQuota } from '../../app/quotas/files-quota.js';
import type { World } from '../../app/world.js';
import { createFileFields, createFileForm, fileObject } from '../../contract/file-object.js';
import { deletedFile, filesQuery, listOf } from '../../contract/list-query.js';
import { parseWith } from '../../contract/parse.js';
import { bounds } from '../../domain/bounds.js';
import { EyrieError } from '../../domain/errors.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { readUploadForm } from '../upload-form.js';

const fieldNames = Object.keys(createFileForm.shape);

function describe(fields: ReadonlyMap<string, string>, filename: string) {
  if (filename.length > bounds.filenameCharsMax)
    throw new EyrieError('invalid_value', `The file name has more than ${bounds.filenameCharsMax} characters.`, {
      param: 'file',
      bound: 'filenameCharsMax',
    });
  const anchor = fields.get('expires_after[anchor]');
  const seconds = fields.get('expires_after[seconds]');
  const expires = anchor === undefined && seconds === undefined ? undefined : { anchor, seconds };
  return { filename, ...parseWith(createFileFields, { purpose: fields.get('purpose'), expires_after: expires }) };
}

export function fileRoutes(world: World, fileBytesMax: number, quota: FilesQuota): ApiRoute[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/v1/files',
      summary: 'Upload a file',
      access: 'files:write',
      share: 'uploads',
      form: { file: 'file', fields: createFileForm },
      answer: fileObject,
      handle: ({ tenant, request }) =>
        readUploadForm(
          request,
          { file: 'file', fileBytesMax, fileBound: 'inputFileBytesMax', fields: fieldNames },
          (file) =>
            quota.metered(tenant, 'file', file.content, (content) =>
              storeFile(world, {
                tenant,
                content,
                describe: async () => describe(await file.fields(), file.filename),
              }),
            ),
        ),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/files',
      summary: 'List files',
      access: 'files:read',
      share: 'lists',
      query: filesQuery,
      answer: listOf(fileObject),
      handle: ({ tenant, query }) =>
        listFiles(world, tenant, { ...query, purpose: query.purpose ?? null, after: query.after ?? null }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/files/:file_id',
      summary: 'Show a file',
      access: 'files:read',
      answer: fileObject,
      handle: ({ tenant, params }) => viewFile(world, tenant, params['file_id'] ?? ''),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/v1/files/:file_id',
      summary: 'Delete a file',
      access: 'files:write',
      share: 'changes',
      answer: deletedFile,
      handle: async ({ tenant, params }): Promise<z.output<typeof deletedFile>> => {
        const id = params['file_id'] ?? '';
        await deleteFile(world, tenant, id);
        return { id, object: 'file', deleted: true };
      },
    }),
  ];
}
