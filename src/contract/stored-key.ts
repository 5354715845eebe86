import { z } from 'zod';
import { scopes } from '../domain/scopes.js';

/** key.json: a key was made. Times are Unix ms. */
export const storedKey = z.object({
  v: z.literal(1),
  id: z.string(),
  tenant: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  /** SHA-256 of the key's text, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdMs: z.number(),
  expiresMs: z.number().nullable(),
});
export type StoredKey = z.output<typeof storedKey>;

/** revoked.json: the key is refused from now on. */
export const storedRevocation = z.object({ v: z.literal(1), revokedMs: z.number() });
