import { expect, test } from 'vitest';
import { bounds } from '../../../../src/domain/bounds.js';
import { connectionsAllowed, connectionsFor } from '../../../../src/http/sockets/open-files.js';

test('connections are a part of the open files, and never more than the bound', () => {
  expect(connectionsFor(1024)).toBe(512);
  expect(connectionsFor(1)).toBe(1);
  expect(connectionsFor(1_000_000)).toBe(bounds.connectionsMax);
  expect(connectionsFor(Infinity)).toBe(bounds.connectionsMax);
});

test('the limit of this process is read', () => {
  expect(connectionsAllowed()).toBeGreaterThan(0);
  expect(connectionsAllowed()).toBeLessThanOrEqual(bounds.connectionsMax);
});
