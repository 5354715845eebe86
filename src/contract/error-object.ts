import { z } from 'zod';

/** Body of every answer with a status of 400 and above, on every route. */
export const errorObject = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    /** Path of the field that is wrong. */
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
export type ErrorObject = z.output<typeof errorObject>;
