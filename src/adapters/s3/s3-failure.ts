import { EyrieError } from '../../domain/errors.js';

/** What an answer of the store means for us. */
export type S3Verdict = 'absent' | 'precondition' | 'range' | 'again' | 'full' | 'refused';

const againNames = new Set([
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'ServiceUnavailable',
  'InternalError',
  'ConditionalRequestConflict',
  'OperationAborted',
  'TimeoutError',
  'AbortError',
  // Versity's gateway, when a folder that a deletion has emptied goes away while an object is put into it.
  'ExistingObjectIsDirectory',
]);
const fullNames = new Set(['XMinioStorageFull', 'InsufficientStorage', 'QuotaExceeded', 'NoSpaceLeft']);

interface S3ErrorShape {
  readonly name?: string;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

export function toVerdict(error: unknown): S3Verdict {
  const { name = '', code, $metadata } = error as S3ErrorShape;
  const status = $metadata?.httpStatusCode;
  if (fullNames.has(name) || status === 507) return 'full';
  // 501 says that the server has no such call, and will have none later.
  if (name === 'NoSuchBucket' || name === 'NotImplemented' || status === 501) return 'refused';
  if (status === 404 || name === 'NoSuchKey' || name === 'NotFound') return 'absent';
  if (status === 412) return 'precondition';
  if (status === 416) return 'range';
  if (againNames.has(name) || status === 429) return 'again';
  // Without a status the connection failed if there is an errno; otherwise the call was never sent (credentials, say).
  if (status === undefined) return typeof code === 'string' ? 'again' : 'refused';
  // A success that could not be read was cut.
  return status >= 500 || status < 300 ? 'again' : 'refused';
}

const nextStep: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Create the bucket, or correct its name.',
  AccessDenied: 'Give these credentials read and write rights on the bucket.',
  InvalidAccessKeyId: 'Check the access key.',
  SignatureDoesNotMatch: 'Check the secret key and the clock.',
  PermanentRedirect: 'Check the region.',
  AuthorizationHeaderMalformed: 'Check the region.',
  CredentialsProviderError: 'Give credentials by environment, file or role, as for every AWS client.',
};

/** The error that callers of the port see once the adapter has given up. */
export function toStoreError(error: unknown, action: string, key: string): EyrieError {
  if (error instanceof EyrieError) return error;
  const { name = 'Error' } = error as S3ErrorShape;
  if (toVerdict(error) === 'full')
    return new EyrieError('disk_full', `The object store has no space left to ${action} '${key}' (${name}).`, {
      cause: error,
    });
  const hint = nextStep[name] ?? 'Check that the object store runs and can be reached.';
  return new EyrieError('store_unavailable', `Could not ${action} '${key}' (${name}). ${hint}`, { cause: error });
}
