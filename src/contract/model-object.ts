import { z } from 'zod';
import { endpoints, type ServedModel } from '../domain/served-model.js';

export const modelObject = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.number().int(),
  owned_by: z.string(),
  eyrie: z.object({
    /** Tokens of prompt and completion together. */
    context_length: z.number().int(),
    endpoints: z.array(z.string()),
    digest: z.string(),
  }),
});
export type ModelObject = z.output<typeof modelObject>;

export const toModelObject = (model: ServedModel): ModelObject => ({
  id: model.id,
  object: 'model',
  created: model.created,
  owned_by: model.ownedBy,
  eyrie: { context_length: model.contextTokens, endpoints: [...endpoints], digest: model.digest },
});
