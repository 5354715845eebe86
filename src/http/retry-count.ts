import { z } from 'zod';

export const retryHeader = {
  /** How often the client has sent this call before; the official clients count it themselves. */
  'X-Stainless-Retry-Count': z.string().optional(),
};

export function toRetryCount(header: string | undefined): number {
  const count = Number(header ?? 0);
  return Number.isInteger(count) && count > 0 ? count : 0;
}
