import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { EyrieError } from '../../domain/errors.js';
import type { SealedSecret, SecretSealer } from '../../ports/secret-sealer.js';

export interface SealingKey {
  readonly version: number;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
}

const algorithm = 'aes-256-gcm';
/** The sizes that GCM is made for. A fresh random nonce for each of a few thousand secrets per key never repeats. */
const nonceBytes = 12;
const tagBytes = 16;

/** Seals with AES-256-GCM. A box is nonce, tag and ciphertext; the context is authenticated, not stored. */
export class AesSealer implements SecretSealer {
  readonly #first: SealingKey | null;
  readonly #keys: ReadonlyMap<number, SealingKey>;

  /** The first key seals; all of them open. */
  constructor(keys: readonly SealingKey[]) {
    this.#first = keys[0] ?? null;
    this.#keys = new Map(keys.map((key) => [key.version, key]));
  }

  get ready(): boolean {
    return this.#first !== null;
  }

  seal(secret: string, context: string): SealedSecret {
    if (!this.#first) throw new EyrieError('config_invalid', 'No sealing key is configured: set EYRIE_SEALING_KEYS.');
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#first.bytes, nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return {
      keyVersion: this.#first.version,
      box: Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64'),
    };
  }

  open({ keyVersion, box }: SealedSecret, context: string): string | null {
    const key = this.#keys.get(keyVersion);
    const bytes = Buffer.from(box, 'base64');
    if (!key || bytes.length < nonceBytes + tagBytes) return null;
    try {
      const decipher = createDecipheriv(algorithm, key.bytes, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
      return decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return null;
    }
  }
}
