import { z } from 'zod';
import { expiresAfter } from './batch-object.js';
import { optional } from './sampling-fields.js';

/** Purposes taken on upload; `batch_output` is Eyrie's own. */
export const uploadPurposes = ['batch', 'user_data'] as const;

/** Text fields of `POST /v1/files`, beside the `file` itself. */
export const createFileFields = z.strictObject({
  purpose: z.enum(uploadPurposes, `${uploadPurposes.join(' and ')} are supported`),
  expires_after: optional(expiresAfter),
});
const anchorField = 'expires_after[anchor]';
const secondsField = 'expires_after[seconds]';

/** The same as a form writes it. */
export const createFileForm = z
  .strictObject({
    purpose: createFileFields.shape.purpose,
    [anchorField]: expiresAfter.shape.anchor.optional(),
    [secondsField]: expiresAfter.shape.seconds.optional(),
  })
  .meta({ dependentRequired: { [anchorField]: [secondsField], [secondsField]: [anchorField] } });
export type CreateFileFields = z.output<typeof createFileFields>;

export const fileObject = z.object({
  id: z.string(),
  object: z.literal('file'),
  bytes: z.number().int(),
  created_at: z.number().int(),
  expires_at: z.number().int().nullable(),
  filename: z.string(),
  purpose: z.enum([...uploadPurposes, 'batch_output']),
  status: z.literal('processed'),
  status_details: z.null(),
});
export type FileObject = z.output<typeof fileObject>;

export interface ListPage<T> {
  readonly object: 'list';
  readonly data: readonly T[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/** `lastId`: where the next page goes on, when it is not the last of `data`. */
export function toListPage<T extends { readonly id: string }>(
  data: readonly T[],
  hasMore: boolean,
  lastId: string | null = null,
): ListPage<T> {
  const last = lastId ?? data.at(-1)?.id ?? null;
  return { object: 'list', data, first_id: data[0]?.id ?? null, last_id: last, has_more: hasMore };
}
