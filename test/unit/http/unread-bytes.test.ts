import { describe, expect, test } from 'vitest';
import { bounds, type BoundName } from '../../../src/domain/bounds.js';
import { UnreadBytes } from '../../../src/http/unread-bytes.js';

const mib = 1024 * 1024;

function start() {
  const cuts: (readonly [tenant: string, bound: BoundName, name: string])[] = [];
  let last: readonly [string, BoundName] = ['', 'unreadBytesMax'];
  const unread = new UnreadBytes((tenant, bound) => (last = [tenant, bound]));
  const answer = (tenant: string, name: string, bytes: number) => {
    const state = { bytes, ended: new AbortController() };
    const cut = (): void => void cuts.push([...last, name]);
    const look = unread.watch(tenant, { bytes: () => state.bytes, cut }, state.ended.signal);
    return {
      more: (now: number): void => {
        state.bytes = now;
        look();
      },
      take: (left: number): void => void (state.bytes = left),
      end: (): void => state.ended.abort(),
    };
  };
  return { answer, cuts };
}

describe('bytes of answers that are not read', () => {
  test('the largest answer of a tenant that has too many is cut, nobody else loses one', () => {
    const { answer, cuts } = start();
    answer('alice', 'hers', 16 * mib);
    answer('mallory', 'large', 10 * mib);
    for (let at = 0; at < 21; at++) answer('mallory', `small ${at}`, 4 * mib);
    expect(cuts).toEqual([]);
    answer('mallory', 'one more', 4 * mib);
    expect(cuts).toEqual([['mallory', 'unreadPerTenantBytesMax', 'large']]);
  });

  test('what was taken or has ended counts no more', () => {
    const { answer, cuts } = start();
    for (let at = 0; at < 100; at++) answer('alice', `taken ${at}`, 16 * mib).take(0);
    for (let at = 0; at < 100; at++) answer('alice', `ended ${at}`, 16 * mib).end();
    expect(cuts).toEqual([]);
  });

  test('an answer that was cut counts no more, whatever still comes into it', () => {
    const { answer, cuts } = start();
    const first = answer('mallory', 'first', 0);
    first.more(bounds.unreadPerTenantBytesMax + 1);
    first.more(bounds.unreadPerTenantBytesMax + 2);
    answer('mallory', 'second', mib);
    expect(cuts).toEqual([['mallory', 'unreadPerTenantBytesMax', 'first']]);
  });

  test('when all together have too many, the tenant with most pays, not the one who came last', () => {
    const { answer, cuts } = start();
    for (const name of ['a', 'b', 'c']) for (let at = 0; at < 23; at++) answer(name, `of ${name}`, 4 * mib);
    answer('a', 'largest of a', 3 * mib);
    answer('alice', 'hers', 16 * mib);
    expect(cuts.length).toBeGreaterThan(0);
    expect(cuts.map(([tenant]) => tenant)).not.toContain('alice');
    expect(new Set(cuts.map(([, bound]) => bound))).toEqual(new Set(['unreadBytesMax']));
    expect(cuts[0]).toEqual(['a', 'unreadBytesMax', 'of a']);
  });

  test('an old count of the tenant with most costs nobody an answer', () => {
    const { answer, cuts } = start();
    for (let at = 0; at < 24; at++) answer('a', 'taken', 4 * mib).take(0);
    for (const name of ['b', 'c']) for (let at = 0; at < 23; at++) answer(name, `of ${name}`, 4 * mib);
    answer('alice', 'hers', 16 * mib);
    expect(cuts).toEqual([]);
  });
});
