import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { connect, createServer, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { HttpEgressRules } from '../../../../../src/adapters/webhook-http/http-egress-rules.js';
import { HttpWebhookSender } from '../../../../../src/adapters/webhook-http/http-webhook-sender.js';
import { checkBatchWebhook } from '../../../../../src/app/webhooks/check-batch-webhook.js';
import { changeShare } from '../../../../../src/app/webhooks/change-share.js';
import { updateEndpoint } from '../../../../../src/app/webhooks/update-endpoint.js';
import type { CreateBatchRequest } from '../../../../../src/contract/create-batch.js';
import { DnsServer } from '../../../../support/dns-server.js';
import { fakeWorld } from '../../../../support/fake-world.js';
import { openNames } from '../../../../support/open-names.js';
import { makeEndpoint } from '../../../../support/webhook-calls.js';
import { answerOf, internalAddresses, publicAddresses, rebinding, urls } from './targets.js';

/**
 * Runs alone in a network namespace, where addresses that belong to others can be had: a receiver on public ones, and listeners on
 * internal ones that count who comes. Prints one line of JSON.
 */
const [folder = ''] = process.argv.slice(2);
const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'ignore' });
ip('link', 'set', 'lo', 'up');
for (const address of [...publicAddresses, ...internalAddresses])
  if (!['127.0.0.1', '::1'].includes(address))
    ip(
      'address',
      'add',
      `${address}/${isIPv6(address) ? 128 : 32}`,
      'dev',
      'lo',
      ...(isIPv6(address) ? ['nodad'] : []),
    );

let connections = 0;
for (const address of internalAddresses)
  for (const port of [80, 443, 6379, 8443])
    await new Promise<void>((resolve, reject) => {
      const server = createServer((socket) => {
        connections++;
        socket.destroy();
      });
      server.once('error', reject).listen(port, address, resolve);
    });

let visits = 0;
const tls = { cert: readFileSync(join(folder, 'server.crt')), key: readFileSync(join(folder, 'server.key')) };
for (const address of publicAddresses)
  await new Promise<void>((resolve) => {
    createHttps(tls, (request, response) => {
      visits++;
      const to = { '/to-address': 'https://10.0.0.5/', '/to-name': 'https://private.test/' }[request.url ?? ''];
      if (to === undefined) response.writeHead(200).end();
      else response.writeHead(307, { location: to }).end();
    }).listen(443, address, resolve);
  });

const dns = await DnsServer.start(answerOf);
const names = openNames(dns.address);
const egress = new HttpEgressRules({ allowPrivate: false, names: names.lookup });
const sender = new HttpWebhookSender({ allowPrivate: false, names: names.lookup, userAgent: 'Eyrie/test' });
const post = (url: string) => sender.post({ tenant: 'mallory', url, headers: {}, body: '{}', timeoutMs: 3000 });

const good = await post('https://public.test/hook');
const passed: string[] = [];
for (const url of urls) {
  const refusal = await egress.refusalOf('mallory', url);
  // As if it had been stored before: the sender has to refuse it by itself.
  const { status, error } = await post(url);
  if (refusal === null || status !== null) passed.push(`${url}: ${refusal ?? 'allowed'}, ${status ?? error ?? ''}`);
}
const reboundVisits: (number | null)[] = [];
for (const name of rebinding)
  for (let round = 0; round < 3; round++) {
    await egress.refusalOf('mallory', `https://${name}/`);
    reboundVisits.push((await post(`https://${name}/`)).status);
  }
const redirects = [await post('https://public.test/to-address'), await post('https://public.test/to-name')];

const world = { ...fakeWorld(), egress };
const { id } = await makeEndpoint({ ...world, egress: { refusalOf: () => Promise.resolve(null) } }, 'acme');
const changed: string[] = [];
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'allowed',
    (error: { code: string }) => error.code,
  );
for (const url of ['https://10.0.0.5/', 'https://private.test/', 'https://[::1]/', 'http://public.test/'])
  changed.push(await codeOf(updateEndpoint(world, 'acme', id, { url }, changeShare(world))));
for (const url of ['https://169.254.169.254/', 'https://mixed4.test/', 'https://gone.test/'])
  changed.push(
    await codeOf(checkBatchWebhook(world, 'acme', { eyrie: { webhook: { url } } } as unknown as CreateBatchRequest)),
  );

const reached = connections;
await new Promise((resolve) => connect(443, '10.0.0.5').once('close', resolve));
const result = {
  good,
  tried: urls.length,
  passed,
  reboundVisits,
  redirects,
  changed,
  reached,
  counted: connections - reached,
  visits,
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
