import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { RedisTls } from '../../src/adapters/bullmq/redis/redis-target.js';

export interface Certificates {
  /** What a client needs; JSON. */
  readonly client: { readonly ca: string; readonly cert: string; readonly key: string } & RedisTls;
  readonly admin: ConnectionOptions;
  /** Configuration of a server, a node or a Sentinel that answers with TLS alone. */
  serverConfig(port: number): readonly string[];
}

/** A CA of its own, a server's certificate for localhost and 127.0.0.1, and a client's. Made by openssl. */
export function makeCertificates(folder: string): Certificates {
  mkdirSync(folder, { recursive: true });
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const file = (name: string): string => path.join(folder, name);
  const key = (name: string): string[] => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
  ];
  openssl('req', '-x509', ...key('ca'), '-subj', '/CN=Eyrie test CA', '-days', '2', '-out', 'ca.crt');
  for (const [name, extension] of [
    ['server', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    writeFileSync(file(`${name}.ext`), `${extension}\n`);
    openssl('req', ...key(name), '-subj', `/CN=Eyrie test ${name}`, '-out', `${name}.csr`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.crt`);
  }
  const read = (name: string): string => readFileSync(file(name), 'utf8');
  const client = { ca: read('ca.crt'), cert: read('client.crt'), key: read('client.key') };
  return {
    client,
    admin: client,
    serverConfig: (port) => [
      'port 0',
      `tls-port ${port}`,
      `tls-cert-file ${file('server.crt')}`,
      `tls-key-file ${file('server.key')}`,
      `tls-ca-cert-file ${file('ca.crt')}`,
      'tls-auth-clients yes',
      'tls-replication yes',
      'tls-cluster yes',
    ],
  };
}
