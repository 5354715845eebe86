import { EgressRefused } from './egress-rules.js';

const words: Readonly<Record<string, string>> = {
  ENOTFOUND: 'name not found',
  ETIMEOUT: 'name not looked up in time',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed',
  EPIPE: 'connection closed',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'host unreachable',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_SOCKET: 'connection closed',
  UND_ERR_HEADERS_OVERFLOW: 'answer not understood',
  EPROTO: 'TLS failed',
};

/** Why there was no answer, in words that hold no address and no secret: users see them. */
export function toWords(error: unknown): string {
  if (error instanceof EgressRefused) return error.message;
  const { name, code, cause } = error as { name?: string; code?: unknown; cause?: unknown };
  if (name === 'TimeoutError') return 'timeout';
  if (name === 'HTTPParserError') return 'answer not understood';
  if (typeof code === 'string') {
    const known = words[code];
    if (known !== undefined) return known;
    if (/CERT|SIGNED|ISSUER|ALTNAME/.test(code)) return 'certificate not accepted';
    if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) return 'TLS failed';
  }
  return cause instanceof Error ? toWords(cause) : 'request failed';
}
