/** A secret as it may lie in the store. */
export interface SealedSecret {
  /** Which sealing key closed it; keys are replaced over time. */
  readonly keyVersion: number;
  /** Base64. */
  readonly box: string;
}

/** Keeps secrets unreadable at rest, under keys that only the programs hold. */
export interface SecretSealer {
  /** Whether a key is configured. Without one nothing can be sealed or opened. */
  readonly ready: boolean;
  /** `context` names the owner: a box that is moved to another owner does not open there. Throws `config_invalid` without a key. */
  seal(secret: string, context: string): SealedSecret;
  /** null: closed under a key that is not known here, for another context, or altered since. */
  open(sealed: SealedSecret, context: string): string | null;
}
