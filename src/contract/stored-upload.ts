import { z } from 'zod';
import { uploadPurposes } from './file-object.js';
import { fileChunks } from './stored-objects.js';

/** upload.json: an upload was begun. Times are Unix ms. */
export const storedUpload = z.object({
  v: z.literal(1),
  id: z.string(),
  bytes: z.number(),
  filename: z.string(),
  purpose: z.enum(uploadPurposes),
  mimeType: z.string(),
  fileExpiresSeconds: z.number().nullable(),
  createdMs: z.number(),
  expiresMs: z.number(),
});
export type StoredUpload = z.output<typeof storedUpload>;

/** end.json: the upload is decided. A completed one names all that its file.json is made of. */
export const uploadEnd = z.discriminatedUnion('state', [
  z.object({
    v: z.literal(1),
    state: z.literal('completed'),
    endedMs: z.number(),
    partIds: z.array(z.string()),
    fileId: z.string(),
    sha256: z.string(),
    chunks: fileChunks.optional(),
  }),
  z.object({ v: z.literal(1), state: z.enum(['cancelled', 'expired']), endedMs: z.number() }),
]);
export type UploadEnd = z.output<typeof uploadEnd>;
