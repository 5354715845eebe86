const removed = '[redacted]';

/** Names of fields that hold secrets or user content, whoever logs them by mistake. */
const privateName =
  /secret|password|passwd|authorization|cookie|pepper|signature|api_?key$|^key$|token$|^(prompt|messages?|completion|content|answer|text|body|custom_?id)$/i;

/** Secrets recognised by their form, inside any text. */
const privateForms: readonly (readonly [RegExp, string])[] = [
  [/\b(ey_[A-Za-z0-9]+_)[A-Za-z0-9_-]+/g, `$1${removed}`],
  [/\b(whsec_)[A-Za-z0-9+/=_-]+/g, `$1${removed}`],
  [/\b(sk-)[A-Za-z0-9_-]{8,}/g, `$1${removed}`],
  [/\b(Bearer\s+)[^\s"',]+/gi, `$1${removed}`],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${removed}@`],
  [/([?&](?:X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|token|key|signature)=)[^&\s]+/gi, `$1${removed}`],
];

const textCharsMax = 500;

/** A text without secrets, of bounded length. */
export function redactText(text: string): string {
  let clean = text.length > textCharsMax ? `${text.slice(0, textCharsMax)}...` : text;
  for (const [form, replacement] of privateForms) clean = clean.replace(form, replacement);
  return clean;
}

export function redactField(name: string, value: unknown): unknown {
  if (value === undefined || value === null) return value;
  if (privateName.test(name)) return removed;
  return typeof value === 'string' ? redactText(value) : value;
}
