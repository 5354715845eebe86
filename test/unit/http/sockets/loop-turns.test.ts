import { describe, expect, test } from 'vitest';
import { LoopTurns } from '../../../../src/http/sockets/loop-turns.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start(rules: { perTurn: number; connectingMs: number }) {
  const turns = new LoopTurns(rules);
  const begun: string[] = [];
  const take = (key: string, name = key): void => turns.take(key, () => begun.push(name));
  return { turns, begun, take };
}

describe('turns of the event loop', () => {
  test('a step begins at once where the turn has room, further ones in the following turns', async () => {
    const { begun, take } = start({ perTurn: 2, connectingMs: 1000 });
    for (const name of ['1', '2', '3', '4', '5']) take('a', name);
    expect(begun).toEqual(['1', '2']);
    await turn();
    expect(begun).toEqual(['1', '2', '3', '4']);
    await turn();
    expect(begun).toEqual(['1', '2', '3', '4', '5']);
  });

  test('callers alternate, whoever came first and however much they want', async () => {
    const { begun, take } = start({ perTurn: 1, connectingMs: 1000 });
    for (let at = 0; at < 50; at++) take('many', `many ${at}`);
    take('one');
    take('two');
    for (let at = 0; at < 4; at++) await turn();
    expect(begun.slice(0, 5)).toEqual(['many 0', 'many 1', 'one', 'two', 'many 2']);
  });

  test('what comes while others wait does not overtake them', async () => {
    const { begun, take } = start({ perTurn: 1, connectingMs: 1000 });
    take('a');
    take('b');
    take('c');
    expect(begun).toEqual(['a']);
    await turn();
    expect(begun).toEqual(['a', 'b']);
    take('d');
    await turn();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  test('steps wait while connections come in, and begin when none comes any more', async () => {
    const { turns, begun, take } = start({ perTurn: 4, connectingMs: 60_000 });
    take('first');
    for (let at = 0; at < 20; at++) {
      turns.noteConnection();
      take('many', `many ${at}`);
      await turn();
    }
    turns.noteConnection();
    take('last');
    expect(begun).toEqual(['first']);
    await turn();
    await turn();
    expect(begun).toEqual(['first', 'many 0', 'last', 'many 1', 'many 2']);
  });

  test('connections that never end do not hold steps up', async () => {
    const { turns, begun, take } = start({ perTurn: 4, connectingMs: 5 });
    for (const key of ['a', 'b', 'c', 'd']) take(key);
    take('e');
    take('f');
    expect(begun).toHaveLength(4);
    for (const endMs = performance.now() + 5000; begun.length < 6 && performance.now() < endMs;) {
      turns.noteConnection();
      await turn();
    }
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  test('waiting for a turn resolves in it', async () => {
    const { turns } = start({ perTurn: 1, connectingMs: 1000 });
    await turns.enter('a');
    let entered = false;
    void turns.enter('a').then(() => (entered = true));
    await Promise.resolve();
    expect(entered).toBe(false);
    await turn();
    expect(entered).toBe(true);
  });
});
