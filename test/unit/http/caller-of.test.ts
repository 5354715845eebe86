import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createKey } from '../../../src/app/keys/create-key.js';
import { KeyRing } from '../../../src/app/keys/key-ring.js';
import { toApiKey } from '../../../src/domain/api-key.js';
import { plainScopes } from '../../../src/domain/scopes.js';
import { callerOf } from '../../../src/http/authenticate.js';
import { LoopTurns } from '../../../src/http/sockets/loop-turns.js';
import { paceRequests } from '../../../src/http/sockets/pace-requests.js';
import { fakeWorld } from '../../support/fake-world.js';

const from = (remoteAddress: string, authorization?: string): IncomingMessage =>
  ({ headers: { authorization }, socket: { remoteAddress } }) as unknown as IncomingMessage;

test('all spellings of a known key are one caller, everything else is one for each network', async () => {
  const world = fakeWorld();
  const ring = new KeyRing(world, plainScopes);
  const made = await createKey(world, 'globex', { name: 'ci', scopes: ['files:read'] });
  const caller = (authorization?: string, address = '10.0.0.1') => callerOf(ring, from(address, authorization));
  for (const spelled of ['Bearer key', 'bearer key', 'BEARER     key']) expect(caller(spelled)).toBe('acme');
  const unknown = caller();
  for (const other of [
    '',
    'Basic key',
    'Bearer nothing',
    'Bearer  x',
    `Bearer ${'k'.repeat(5000)}`,
    `Bearer ${made.key}`,
  ])
    expect(caller(other)).toBe(unknown);
  expect(unknown).not.toBe('acme');
  expect(caller('Bearer a', '10.0.0.2')).not.toBe(unknown);
  expect(caller('Bearer a', '2001:db8:1:2::1')).toBe(caller('Bearer b', '2001:db8:1:2:ffff::2'));
  // Once a key of the store was looked for, it is known.
  await ring.find(made.key);
  expect(caller(`bearer  ${made.key}`)).toBe('globex');
  expect(caller(`Bearer ${toApiKey(made.id, Buffer.alloc(32, 7))}`)).toBe(unknown);
});

test('requests take their turns by these callers', async () => {
  const world = fakeWorld();
  const keys: string[] = [];
  const turns = new LoopTurns({ perTurn: 4, connectingMs: 4 });
  turns.take = (key, begin) => {
    keys.push(key);
    begin();
  };
  const server = createServer((_request, response) => void response.end());
  paceRequests(server, world, new KeyRing(world, plainScopes), turns);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  for (const authorization of ['Bearer key', 'bearer  key', 'Bearer a', 'Bearer b', 'c'])
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers: { authorization } });
  expect(keys.map((key) => key === 'acme')).toEqual([true, true, false, false, false]);
  expect(new Set(keys).size).toBe(2);
});
