import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { expiresAfter } from './batch-object.js';
import { fileObject, uploadPurposes } from './file-object.js';
import { optional } from './sampling-fields.js';
import { lengthUpTo, valueUpTo } from './within.js';

/** Body of `POST /v1/uploads`. */
export const createUploadRequest = z.strictObject({
  purpose: z.enum(uploadPurposes, `${uploadPurposes.join(' and ')} are supported`),
  filename: z
    .string('a file name is required')
    .min(1, 'a file name is required')
    .check(lengthUpTo('filenameCharsMax', `at most ${bounds.filenameCharsMax} characters are allowed`)),
  /** Sum of all parts. */
  bytes: z
    .number('a number of bytes is required')
    .int('a number of bytes is required')
    .min(0, '0 and above is allowed')
    .check(valueUpTo('inputFileBytesMax', `at most ${bounds.inputFileBytesMax} bytes are allowed`)),
  mime_type: z
    .string('a media type is required')
    .check(lengthUpTo('mimeTypeCharsMax', `at most ${bounds.mimeTypeCharsMax} characters are allowed`)),
  expires_after: optional(expiresAfter),
});
export type CreateUploadRequest = z.output<typeof createUploadRequest>;

/** Body of `POST /v1/uploads/{upload_id}/complete`. */
export const completeUploadRequest = z.strictObject({
  /** In the order of the file. Parts that are not named are dropped. */
  part_ids: z
    .array(
      z.string('a part id is required').check(lengthUpTo('idCharsMax', 'a part id is required')),
      'a list of part ids is required',
    )
    .check(lengthUpTo('uploadPartsMax', `at most ${bounds.uploadPartsMax} parts are allowed`)),
  md5: optional(z.string().regex(/^[0-9a-fA-F]{32}$/, '32 hexadecimal digits are required')),
});
export type CompleteUploadRequest = z.output<typeof completeUploadRequest>;

export const uploadStatuses = ['pending', 'completed', 'cancelled', 'expired'] as const;

export const uploadObject = z.object({
  id: z.string(),
  object: z.literal('upload'),
  bytes: z.number().int(),
  created_at: z.number().int(),
  filename: z.string(),
  purpose: z.enum(uploadPurposes),
  status: z.enum(uploadStatuses),
  expires_at: z.number().int(),
  /** The file that a completed upload became. */
  file: fileObject.nullable(),
});
export type UploadObject = z.output<typeof uploadObject>;

export const uploadPartObject = z.object({
  id: z.string(),
  object: z.literal('upload.part'),
  created_at: z.number().int(),
  upload_id: z.string(),
});
export type UploadPartObject = z.output<typeof uploadPartObject>;
