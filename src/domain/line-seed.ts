import { hash } from 'node:crypto';

/**
 * The sampling seed of a line whose body names none: the first 53 bits of SHA-256 over custom_id and body (so that it
 * can be sent back as a JSON number). It depends on the line
 * alone, so the same line gives the same bytes through the API, the bucket and the command line, and again after a retry;
 * two lines with the same body but another custom_id are sampled apart.
 */
export function derivedSeed(customId: string, body: unknown): bigint {
  return hash('sha256', `${customId}\0${JSON.stringify(body)}`, 'buffer').readBigUInt64BE() >> 11n;
}

/** A user's int64 seed as the 64 bits the generator is keyed with. */
export const userSeed = (seed: number | bigint): bigint => BigInt.asUintN(64, BigInt(seed));

/** The generator key of choice `choice` of prompt `prompt` of a line, so that choices differ from one another. */
export const sequenceKey = (prompt: number, choice: number): bigint => (BigInt(prompt) << 32n) | BigInt(choice);
