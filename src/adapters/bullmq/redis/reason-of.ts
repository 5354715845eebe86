/** What went wrong with a connection, in one line. Errors of a cluster, and of a name with several addresses, hide it inside. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { lastNodeError } = error as { lastNodeError?: unknown };
  if (lastNodeError instanceof Error) return `${error.message} ${reasonOf(lastNodeError)}`;
  if (error.message === '' && error instanceof AggregateError && error.errors.length > 0)
    return reasonOf(error.errors[0]);
  // OpenSSL's are of several lines.
  return error.message.replace(/\s+/g, ' ').trim() || error.name;
}
